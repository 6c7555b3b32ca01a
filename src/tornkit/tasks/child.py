"""The process that runs plain functions for a worker: orders come in, results go out.

A message is its length in four bytes, and JSON. When nothing more can come, because the worker has
ended or was killed, the process ends too, whatever it is doing.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from tornkit import encoding
from tornkit.tasks.context import Done, TaskContext
from tornkit.tasks.failures import explain

if TYPE_CHECKING:
    from tornkit.tasks.task import Task

__all__ = ["LENGTH", "main", "packed"]

LENGTH: Final = 4
"""How many bytes the length of a message has."""


def packed(message: object) -> bytes:
    """Return a message as it is sent."""
    text = encoding.encode(message)
    return len(text).to_bytes(LENGTH, "big") + text


def main() -> None:
    """Carry orders out, one after the other, until nothing more can come."""
    # A supervisor tells the whole group, and the worker lets what runs end. No SIG_IGN, which
    # the programs that a task starts would inherit.
    signal.signal(signal.SIGTERM, lambda *_: None)
    orders, answers = _take_over()
    waiting: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(orders, waiting), daemon=True).start()
    while True:
        order = waiting.get()
        _say(answers, {"begun": True})
        _say(answers, _carry_out(order, answers))


def _take_over() -> tuple[BinaryIO, BinaryIO]:
    """Return standard input and output, and let what a task prints go to standard error."""
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return orders, answers


def _say(answers: BinaryIO, message: object) -> None:
    answers.write(packed(message))
    answers.flush()


def _listen(orders: BinaryIO, waiting: SimpleQueue[Any]) -> None:
    while True:
        length = orders.read(LENGTH)
        if len(length) < LENGTH:
            os._exit(0)
        waiting.put(encoding.decode(orders.read(int.from_bytes(length, "big"))))


def _carry_out(order: dict[str, Any], answers: BinaryIO) -> dict[str, Any]:
    ended = threading.Event()

    def tell(progress: float | None, message: str | None) -> Done:
        if ended.is_set():  # by a thread that goes on when its job has ended
            return Done()
        _say(answers, {"progress": progress, "message": message})
        return Done()

    try:
        task = _find(order["module"], order["qualname"])
        context = TaskContext(**order["context"], tell=tell)
        bound = task.arguments.unpack(order["arguments"])
        first = (context,) if task.takes_context else ()
        result = task.function(*first, *bound.args, **bound.kwargs)
        # Here, where a result that is none can still be explained.
        return {"result": encoding.decode(encoding.encode(result))}
    except BaseException as error:  # noqa: BLE001 - it is reported, also a sys.exit()
        return {"error": explain(error)}
    finally:
        ended.set()


def _find(module: str, qualname: str) -> Task[..., Any]:
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    task: Task[..., Any] = found
    return task


if __name__ == "__main__":
    sys.exit("it is started by a worker")
