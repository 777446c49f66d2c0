"""Memory given back after calls."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from agent import memory
from agent.memory import MemoryKeeper, freeze_startup


class Web:
    """A call's web of objects: only the cyclic collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(memory, "SETTLE_S", 0.0)
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


async def collected(idle: asyncio.Event, seconds: float) -> bool:
    """Whether a finished call's web is freed within a time."""
    web = weakref.ref(Web())
    keeper = MemoryKeeper(idle)
    task = asyncio.create_task(keeper.run())
    keeper.call_ended()
    loop = asyncio.get_running_loop()
    end_s = loop.time() + seconds
    while web() is not None and loop.time() < end_s:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    return web() is None


@pytest.mark.usefixtures("_by_hand")
def test_a_finished_call_is_freed_once_no_call_runs() -> None:
    async def scenario() -> None:
        idle = asyncio.Event()
        idle.set()
        assert await collected(idle, 20.0)

    asyncio.run(scenario())


@pytest.mark.usefixtures("_by_hand")
def test_while_calls_run_collecting_waits_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        assert not await collected(asyncio.Event(), 0.1)
        monkeypatch.setattr(memory, "MAX_WAIT_S", 0.01)
        assert await collected(asyncio.Event(), 20.0)

    asyncio.run(scenario())


@pytest.mark.usefixtures("_by_hand")
def test_what_lives_at_the_start_is_left_out_of_later_collections() -> None:
    before = gc.get_freeze_count()
    freeze_startup()
    assert gc.get_freeze_count() > before + 10_000
