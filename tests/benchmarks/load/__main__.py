"""``python -m tests.benchmarks.load SPEC``: connect, say so, and work when a line comes in.

SPEC is JSON: ``kind`` is ``upload``, ``echo``, ``rate`` or ``idle``; ``port``, ``connections``,
``method``, ``path``, ``headers``, ``size`` of the body, ``seconds``, ``rate`` and ``alone`` say
the rest. What comes out is a line of JSON, an `Outcome` or ``{"error": …}``.
"""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

from tests.benchmarks.load.loops import Outcome, closed_loop, open_loop
from tests.benchmarks.load.wire import (
    Connection,
    LoadError,
    echoed,
    frame_of,
    is_answer,
    request_of,
    upgrade,
)

_HOST = "127.0.0.1"
_MESSAGE = b"0123456789abcdef0123456789abcdef"


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _work(spec: dict[str, Any]) -> Outcome | None:
    body = bytes(range(256)) * (spec["size"] // 256)
    where = (_HOST, spec["port"])
    request = request_of(
        f"{_HOST}:{spec['port']}", spec["method"], spec["path"], spec["headers"], body
    )
    connections = [Connection(where) for _ in range(spec["connections"])]
    if spec["kind"] in ("echo", "idle"):
        for connection in connections:
            upgrade(connection, request)
    gc.freeze()
    gc.disable()
    _say({"ready": True})
    if not sys.stdin.readline() or spec["kind"] == "idle":
        return None
    match spec["kind"]:
        case "upload":
            return closed_loop(connections, request, is_answer, spec["seconds"])
        case "echo":
            answer = echoed(_MESSAGE)

            def is_echo(received: bytes) -> bool:
                if len(received) > len(answer) or not answer.startswith(received):
                    raise LoadError(f"the server sent {received[:40]!r} for an echo")
                return len(received) == len(answer)

            return closed_loop(connections, frame_of(_MESSAGE), is_echo, spec["seconds"])
        case "rate":
            return open_loop(
                connections,
                request,
                is_answer,
                spec["seconds"],
                rate=spec["rate"],
                alone=spec["alone"],
            )
    raise LoadError(f"no load is called {spec['kind']!r}")


def main() -> None:
    try:
        outcome = _work(json.loads(sys.argv[1]))
    except (LoadError, OSError) as error:
        _say({"error": str(error)})
    else:
        if outcome is not None:
            _say(outcome.as_dict())


if __name__ == "__main__":
    main()
