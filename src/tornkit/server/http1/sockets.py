"""The socket of a connection, as applications ask for it: also what TLS knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    import ssl

__all__ = ["TLSSocket"]


class TLSSocket:
    """A socket with the questions that `ssl.SSLSocket` answers; its bytes stay encrypted."""

    __slots__ = ("_session", "_socket")

    def __init__(self, opened: socket.socket, session: ssl.SSLObject) -> None:
        self._socket = opened
        self._session = session

    def __getattr__(self, name: str) -> Any:
        if name in _OF_THE_SESSION:
            return getattr(self._session, name)
        return getattr(self._socket, name)


_OF_THE_SESSION = frozenset(
    {
        *["cipher", "compression", "context", "get_channel_binding", "getpeercert"],
        *["selected_alpn_protocol", "server_hostname", "session", "session_reused"],
        *["shared_ciphers", "version"],
    }
)
