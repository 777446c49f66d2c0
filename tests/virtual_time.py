"""An event loop whose clock jumps to the next timer, so minutes of conversation take milliseconds.

`run(coro)` runs a coroutine to its end on such a loop and fails if it would wait for ever, if it
leaves a task behind, or if any task died unseen.  Work in threads is not supported: nothing in
a virtual-time test may use an executor or a socket.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(AssertionError):
    """Every task waits and no timer is set: in real life this would hang."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop on which time passes only when everybody waits for it."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(selectors.SelectSelector())
        self.failures: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _loop, context: self.failures.append(context))

    def time(self) -> float:
        return self._now_s

    def _run_once(self) -> None:
        if not self._ready:  # type: ignore[attr-defined]
            while self._scheduled and self._scheduled[0]._cancelled:  # type: ignore[attr-defined]
                self._scheduled.pop(0)  # type: ignore[attr-defined]
                self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
                if self._scheduled:  # type: ignore[attr-defined]
                    _restore_heap(self._scheduled)  # type: ignore[attr-defined]
            if not self._scheduled:  # type: ignore[attr-defined]
                raise Deadlock("every task waits and no timer is set")
            self._now_s = max(self._now_s, self._scheduled[0]._when)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        raise AssertionError(f"a virtual-time test may not use threads: {func}")


def _restore_heap(timers: list[Any]) -> None:
    import heapq

    heapq.heapify(timers)


def run(coro: Coroutine[Any, Any, T]) -> T:
    """Run `coro` in virtual time; see the module's docstring for what fails."""
    loop = VirtualTimeLoop()
    asyncio.set_event_loop(loop)
    try:
        main = loop.create_task(coro, name="test")
        result = loop.run_until_complete(main)
        leaked = [task for task in asyncio.all_tasks(loop) if not task.done()]
        names = [task.get_name() for task in leaked]
        for task in leaked:
            task.cancel()
        if leaked:
            loop.run_until_complete(asyncio.gather(*leaked, return_exceptions=True))
        assert not names, f"tasks left behind: {names}"
        assert not loop.failures, f"failed unseen: {loop.failures}"
        return result
    finally:
        asyncio.set_event_loop(None)
        loop.close()
