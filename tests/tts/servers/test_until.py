"""Iterators that end early."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tts.servers.until import until_set


class Items:
    """Numbers up to `count`, then silence."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.closed = False

    async def forever(self) -> AsyncGenerator[int]:
        try:
            for number in range(self._count):
                yield number
            await asyncio.Event().wait()
        finally:
            self.closed = True


async def finite() -> AsyncGenerator[int]:
    yield 0
    yield 1


def test_without_the_event_all_items_come() -> None:
    async def scenario() -> None:
        assert [item async for item in until_set(asyncio.Event(), finite())] == [0, 1]

    asyncio.run(scenario())


def test_the_event_ends_a_wait_and_closes_the_items() -> None:
    async def scenario() -> None:
        event, items, got = asyncio.Event(), Items(2), []
        async for item in until_set(event, items.forever()):
            got.append(item)
            if item == 1:
                asyncio.get_running_loop().call_soon(event.set)
        assert (got, items.closed) == ([0, 1], True)

    asyncio.run(scenario())


def test_an_event_that_is_set_lets_nothing_more_through() -> None:
    async def scenario() -> None:
        event, items = asyncio.Event(), Items(2)
        event.set()
        assert [item async for item in until_set(event, items.forever())] == []

    asyncio.run(scenario())


def test_closing_closes_the_items_and_leaves_no_task() -> None:
    async def scenario() -> None:
        items = Items(1)
        ending = until_set(asyncio.Event(), items.forever())
        assert await anext(ending) == 0
        await ending.aclose()
        assert items.closed
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


def test_cancelling_the_reader_closes_the_items() -> None:
    async def scenario() -> None:
        items = Items(1)

        async def read() -> None:
            async for _ in until_set(asyncio.Event(), items.forever()):
                pass

        reader = asyncio.create_task(read(), name="reader")
        await asyncio.sleep(0.01)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert items.closed
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


def test_what_the_items_raise_comes_through() -> None:
    async def failing() -> AsyncGenerator[int]:
        yield 0
        raise LookupError("gone")

    async def scenario() -> None:
        ending = until_set(asyncio.Event(), failing())
        assert await anext(ending) == 0
        with pytest.raises(LookupError, match="gone"):
            await anext(ending)

    asyncio.run(scenario())
