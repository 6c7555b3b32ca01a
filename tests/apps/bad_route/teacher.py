from tornado.web import RequestHandler

from tornkit.access import PUBLIC
from tornkit.modules import Module
from tornkit.routing import path

module = Module(access=PUBLIC, routes=[path("/{x:nit}", RequestHandler)])
