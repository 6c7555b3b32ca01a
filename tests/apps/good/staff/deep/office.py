from tornkit.access import PUBLIC
from tornkit.modules import Module

module = Module(access=PUBLIC, routes=[])
