"""What a serving child and the reloading parent tell each other.

The child sends lines of JSON over a socket pair, and its listening sockets along with the
first; the parent says nothing: the end of the channel tells the child that it is alone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

__all__ = ["ENVIRONMENT_VARIABLE", "Channel", "Inherited", "inherited"]

ENVIRONMENT_VARIABLE = "TORNKIT_RELOAD_CHILD"


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a child got from its parent."""

    channel: Channel
    sockets: list[socket.socket]


class Channel:
    """The child's end."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def send(self, kind: str, sockets: list[socket.socket] | None = None, **data: Any) -> None:
        """Tell the parent; a parent that has gone is noticed elsewhere."""
        line = json.dumps({"kind": kind, **data}).encode() + b"\n"
        try:
            if sockets:
                socket.send_fds(self._end, [line[:1]], [each.fileno() for each in sockets])
                line = line[1:]
            self._end.sendall(line)
        except OSError:
            pass

    def end_with_parent(self) -> None:
        """End this process when the parent ends, however that happens."""
        threading.Thread(target=self._watch, name="tornkit-parent", daemon=True).start()

    def _watch(self) -> None:
        try:
            while self._end.recv(64):
                pass
        except OSError:
            pass
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(3)
        os._exit(1)


def inherited() -> Inherited | None:
    """Return what the parent handed over, or None where this process was started by hand.

    The variable is taken away, so that programs which the site starts do not see it.
    """
    given = os.environ.pop(ENVIRONMENT_VARIABLE, "")
    if not given:
        return None
    channel, *listening = [int(number) for number in given.split(",")]
    for number in (channel, *listening):
        os.set_inheritable(number, False)
    sockets = [socket.socket(fileno=number) for number in listening]
    for each in sockets:
        each.setblocking(False)
    return Inherited(Channel(socket.socket(fileno=channel)), sockets)
