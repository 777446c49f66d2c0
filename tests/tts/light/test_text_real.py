"""A real voice over a real socket that speaks a text while it is being written."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.tts.doors import grpc_door
from tests.tts.light.test_voices_real import check_speech, service
from tests.tts.test_contract import collect
from tts.client import TtsClient
from tts.config import ServiceConfig
from tts.service import whole
from tts.text.spans import words
from tts.types import SpeechChunk, SynthesisRequest

pytestmark = pytest.mark.real

REQUEST = SynthesisRequest("", "heart", "en")
BEGINNING = "Good morning everybody, "
TEXT = BEGINNING + "it is 10:30 and Dr. Smith paid 3.50 for his tea. He is in! Isn't he?"


@asynccontextmanager
async def client(folder: Path) -> AsyncIterator[TtsClient]:
    address = f"unix:{folder / 's'}"
    async with service("hibari") as running, grpc_door(running, ServiceConfig(), address):
        client = TtsClient(address)
        try:
            yield client
        finally:
            await client.close()


async def spoken(
    client: TtsClient, pieces: Sequence[str], *, waits_before: Sequence[int] = ()
) -> tuple[list[SpeechChunk], list[int]]:
    """The chunks, and how many pieces had been written when each of them came.

    Before some pieces the writer waits until audio of what it wrote before has come.
    """
    chunks: list[SpeechChunk] = []
    written_at: list[int] = []
    written = 0
    heard = asyncio.Event()

    async def texts() -> AsyncGenerator[str]:
        nonlocal written
        for number, piece in enumerate(pieces):
            await asyncio.sleep(0.01)
            if number in waits_before:
                heard.clear()
                await heard.wait()
            written += 1
            yield piece

    async for chunk in client.stream_text(REQUEST, texts()):
        chunks.append(chunk)
        written_at.append(written)
        heard.set()
    return chunks, written_at


def test_the_first_audio_leaves_before_the_text_is_complete(tmp_path: Path) -> None:
    pieces = [word + " " for word in TEXT.split(" ")]

    async def scenario() -> None:
        async with client(tmp_path) as tts:
            # Without audio before "10:30" is written, this would wait for ever.
            chunks, written_at = await spoken(tts, pieces, waits_before=[5])
        assert written_at[0] == 5
        check_speech(TEXT, whole(chunks), estimated=False)
        assert [chunk.is_final for chunk in chunks] == [False] * (len(chunks) - 1) + [True]

    asyncio.run(asyncio.wait_for(scenario(), 60))


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_every_word_is_marked_in_order_however_the_text_is_cut(tmp_path: Path, size: int) -> None:
    pieces = [TEXT[i : i + size] for i in range(0, len(TEXT), size)]

    async def scenario() -> None:
        async with client(tmp_path) as tts:
            chunks, _ = await spoken(tts, pieces)
        marks = whole(chunks).marks
        assert [(m.text_start, m.text_end) for m in marks] == [
            (s.start, s.end) for s in words(TEXT)
        ]
        assert all(a.end_s <= b.start_s + 1e-9 for a, b in zip(marks, marks[1:], strict=False))

    asyncio.run(scenario())


def test_the_audio_of_the_first_clause_does_not_depend_on_what_follows(tmp_path: Path) -> None:
    async def scenario() -> None:
        beginnings = []
        async with client(tmp_path) as tts:
            for rest in ("it is late.", "thank you for coming! We are glad.", "I"):
                # Audio has come: what follows is written too late to change it.
                chunks, _ = await spoken(tts, [BEGINNING + rest[0], rest[1:]], waits_before=[1])
                said = [m for m in whole(chunks).marks if m.text_end <= len(BEGINNING)]
                samples = int(said[-1].end_s * chunks[0].sample_rate_hz)
                beginnings.append(whole(chunks).pcm[: 2 * samples])
        shortest = min(map(len, beginnings))
        assert shortest > 24_000
        assert len({pcm[:shortest] for pcm in beginnings}) == 1

    asyncio.run(scenario())


def test_a_complete_text_sounds_the_same_by_either_way(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with client(tmp_path) as tts:
            request = SynthesisRequest("Good morning. Here I am.", "heart", "en")
            expected = await tts.synthesize(request)

            async def nothing_more() -> AsyncGenerator[str]:
                return
                yield

            assert whole(await collect(tts.stream_text(request, nothing_more()))) == expected

    asyncio.run(scenario())
