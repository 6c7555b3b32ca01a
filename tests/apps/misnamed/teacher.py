from tornkit.access import PUBLIC
from tornkit.modules import Module

teacher = Module(access=PUBLIC, routes=[])
