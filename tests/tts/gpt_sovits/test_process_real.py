"""The TTS process with a cloned voice beside a light one, over gRPC.

No trained weights can be had where tests run, so the voice is a small GPT-SoVITS v2 with random
weights: it babbles.  What is tested is the way.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tts.gpt_sovits.made import add_voice
from tests.tts.test_process_real import ROOT, client_of, until_ready
from tts.client import TtsClient
from tts.errors import BadRequest
from tts.service import whole
from tts.text.spans import words
from tts.types import SpeechChunk, SynthesisRequest

pytestmark = pytest.mark.real

TEXT = "Hello there, my friend. How are you today?"
CLONED = SynthesisRequest(TEXT, "ann", "en", emotion="happy")
LIGHT = SynthesisRequest("Here I am.", "heart", "en")


@contextmanager
def server(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    config = folder / "tts.toml"
    config.write_text('engines = ["hibari", "gpt-sovits"]\n', encoding="utf-8")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tts", "serve", "--address", f"unix:{folder / 's'}"),
            *("--config", str(config), "--voices", str(folder / "voices"), "--device", "cpu"),
            *("--pretrained", str(folder / "pretrained")),
        ],
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def ends(client: TtsClient, request: SynthesisRequest, order: list[str]) -> list[SpeechChunk]:
    """All chunks; the voice is noted when the last has come."""
    chunks = [chunk async for chunk in client.stream(request)]
    order.append(request.voice)
    return chunks


async def write_slowly(client: TtsClient, text: str) -> list[SpeechChunk]:
    """The chunks of a text that is written word by word; its second half when the first is heard.

    Without audio before the second half, this would wait for ever.
    """
    heard = asyncio.Event()

    async def pieces() -> AsyncGenerator[str]:
        half = text.index(".") + 3
        for word in re.findall(r"\s*\S+", text[:half]):
            yield word
        await heard.wait()
        yield text[half:]

    chunks = []
    async with asyncio.timeout(60):
        async for chunk in client.stream_text(replace(CLONED, text=""), pieces()):
            chunks.append(chunk)
            heard.set()
    return chunks


def test_a_cloned_voice_speaks_beside_a_light_one(tmp_path: Path) -> None:
    add_voice(tmp_path / "voices", "ann", languages=("en", "zh"))

    async def scenario() -> None:
        client = client_of(tmp_path)
        with server(tmp_path):
            await until_ready(client)
            by_id = {voice.id: voice for voice in await client.voices()}
            assert list(by_id) == ["heart", "ann"]
            assert (by_id["ann"].engine, by_id["ann"].languages) == ("gpt-sovits", ("en",))
            assert by_id["ann"].emotions == ("neutral", "happy")

            # The cold voice takes seconds to load; the light one does not wait for it.
            order: list[str] = []
            cold = asyncio.create_task(ends(client, CLONED, order), name="cold")
            assert (await ends(client, LIGHT, order))[-1].is_final
            chunks = await cold
            assert order == ["heart", "ann"]

            assert [chunk.is_final for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
            assert {chunk.sample_rate_hz for chunk in chunks} == {32000}
            samples = 0
            for chunk in chunks:
                assert chunk.first_sample == samples
                samples += len(chunk.pcm) // 2
            marks = [mark for chunk in chunks for mark in chunk.marks]
            assert [TEXT[m.text_start : m.text_end] for m in marks] == [
                span.of(TEXT) for span in words(TEXT)
            ]
            assert marks[-1].end_s <= samples / 32000

            written = await write_slowly(client, TEXT)
            assert [mark.text_start for mark in whole(written).marks] == [
                span.start for span in words(TEXT)
            ]
            assert written[-1].is_final

            again = await client.synthesize(CLONED)
            # The same tokens; when their sound was made, and so its detail, is up to the clock.
            samples = len(b"".join(chunk.pcm for chunk in chunks))
            assert len(again.pcm) == pytest.approx(samples, rel=0.05)
            with pytest.raises(BadRequest, match="emotion = 'sad': voice 'ann' has neutral, happy"):
                await client.synthesize(SynthesisRequest(TEXT, "ann", "en", emotion="sad"))
            with pytest.raises(BadRequest, match="voice 'heart' has none to choose"):
                await client.synthesize(SynthesisRequest(TEXT, "heart", "en", emotion="happy"))
        await client.close()

    asyncio.run(scenario())
