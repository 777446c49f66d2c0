"""Blocking work that ends although nobody waits for it any more."""

import asyncio
import threading

import pytest

from tts.finishing import to_the_end


def test_its_result_and_its_error_come_back() -> None:
    async def scenario() -> None:
        assert await to_the_end(int, "7") == 7
        with pytest.raises(ValueError, match="invalid literal"):
            await to_the_end(int, "x")

    asyncio.run(scenario())


def test_cancelled_it_ends_first() -> None:
    async def scenario() -> None:
        begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            go_on.wait()
            done.set()

        task = asyncio.create_task(to_the_end(work))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done.is_set()

    asyncio.run(scenario())
