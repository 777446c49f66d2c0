"""How the daemon's processes hang together: exit statuses, and dying with the parent.

A child never outlives the supervisor, whatever ends that, SIGKILL included.  On Linux the kernel
sees to it; elsewhere a thread of the child watches the parent's id.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

EXIT_FAILED = 1
"""Started again, this may work."""
EXIT_UNUSABLE = 2
"""The configuration cannot be used; starting again cannot help."""

_PR_SET_PDEATHSIG = 1
_WATCH_INTERVAL_S = 0.5


def dies_with_parent() -> Callable[[], None] | None:
    """Return what a parent has its child do between fork and exec; None where unsupported.

    Everything it needs is looked up here, before the fork.  It survives the exec, so it covers
    the child from its first moment.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call
            os._exit(EXIT_FAILED)

    return prepare


def exit_with_parent() -> None:
    """Have this process end with its parent where `dies_with_parent` could not."""
    if sys.platform != "linux":
        parent = os.getppid()
        threading.Thread(target=_watch, args=(parent,), name="lifeline", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_INTERVAL_S)
    os.kill(os.getpid(), signal.SIGKILL)
