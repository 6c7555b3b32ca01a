"""The computation itself, in the words of a process that does nothing else.

Nothing here imports tornkit, so that such a process starts quickly.
"""

import math
import os
import signal
import sys
import threading
from multiprocessing import parent_process

__all__ = ["digits_of_factorial", "prepare"]


def prepare() -> None:
    """Make a process ready to compute; it ends when the site's own process does."""
    # Python refuses to write integers of more than 4300 digits, for that takes long, and a
    # site must not be made to do it. This process is there for it.
    sys.set_int_max_str_digits(0)
    # Ctrl-C in a terminal reaches all processes; the site's own then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def digits_of_factorial(n: int) -> str:
    """Return n! in decimal digits."""
    return str(math.factorial(n))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
