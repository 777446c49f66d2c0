"""An iterator that ends early, when somebody says so.

Knows nothing of what is iterated; both ends of a wire cancel with it.  On the event loop's thread.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def until_set(event: asyncio.Event, items: AsyncIterator[T]) -> AsyncGenerator[T]:
    """The items that come before the event is set, also while one is waited for.

    However it ends, `items` are closed.
    """
    stopping = asyncio.create_task(event.wait(), name="until-set")
    try:
        while True:
            item = asyncio.ensure_future(_next(items))
            try:
                await asyncio.wait({item, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if event.is_set():
                    return
                got = await item
            finally:
                item.cancel()
                await asyncio.gather(item, return_exceptions=True)
            if not got:
                return
            yield got[0]
    finally:
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _next(items: AsyncIterator[T]) -> tuple[T] | tuple[()]:
    """The next item; nothing at the end."""
    try:
        return (await anext(items),)
    except StopAsyncIteration:
        return ()
