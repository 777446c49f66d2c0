"""A text that is being written, on its way from its caller to an engine.

In: pieces of it, as they come.  Out: the same in a `TextFeed`, cleaned and within the limits.  On
the event loop's thread.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from tts.config import LimitsConfig
from tts.errors import TextStalled
from tts.limits import check_length, check_words
from tts.text.clean import clean_text
from tts.text.feed import TextFeed
from tts.types import SpeechChunk


async def write(texts: AsyncIterator[str], feed: TextFeed, limits: LimitsConfig) -> None:
    """Pass all of `texts` on and end the feed; nothing but their bound holds them back.

    Raises `TextTooLong` as soon as they are, `TextStalled` when none comes in time, `BadRequest`
    when they end without a letter or digit, and what `texts` raises.  Then the feed stays open: no
    engine takes what it has for all.  However it ends, `texts` are closed.
    """
    chars = len(feed.text)
    try:
        async with asyncio.timeout(limits.text_idle_s) as idle:
            async for text in texts:
                chars += len(text)
                check_length(chars, limits.max_text_chars)
                if text:
                    feed.append(clean_text(text))
                    idle.reschedule(asyncio.get_running_loop().time() + limits.text_idle_s)
    except TimeoutError as error:
        if not idle.expired():
            raise
        raise TextStalled(
            f"no text for {limits.text_idle_s} s, which is the limit: send more of it or end it"
        ) from error
    finally:
        if isinstance(texts, AsyncGenerator):
            await texts.aclose()
    check_words(feed.text)
    feed.end()


async def spoken_while(
    writing: asyncio.Task[None], chunks: AsyncGenerator[SpeechChunk]
) -> AsyncGenerator[SpeechChunk]:
    """The chunks of a text that is being written; if writing fails they end at once with its error.

    Closing or cancelling closes `chunks` and ends `writing`.
    """
    try:
        while True:
            chunk = asyncio.ensure_future(anext(chunks, None))
            try:
                await asyncio.wait({chunk, writing}, return_when=asyncio.FIRST_COMPLETED)
                if writing.done():
                    writing.result()
                now = await chunk
            finally:
                chunk.cancel()
                await asyncio.gather(chunk, return_exceptions=True)
            if now is None:
                return
            yield now
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await chunks.aclose()
