from tornkit.modules import Module

module = Module(access="teacher", routes=[])  # type: ignore[arg-type]
