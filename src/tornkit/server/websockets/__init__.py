"""WebSockets on our HTTP server: Tornado's handlers, with frames read as they arrive.

The handshake and the interface are those of `tornado.websocket`; only what happens between
the socket and the handler is ours.
"""
