"""The recogniser around a scripted model: which passes it makes and what it believes."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.config import SttConfig
from agent.silero import WINDOW_SAMPLES, Silero
from agent.stt.decoder import Decoded, Segment, WhisperDecoder
from agent.stt.types import SAMPLE_RATE_HZ, SttBusy, SttFailed
from agent.stt.whisper import SHORT_PAD_S, SHORTEST_WINDOW_S, Models, WhisperStt

TWO_SECONDS = np.full(2 * SAMPLE_RATE_HZ, 0.1, np.float32)


@dataclass
class FakeDecoder:
    """Answers each pass with what was scripted for its window; the last answer repeats."""

    short: str = "short words"
    full: str = "full words"
    multilingual: bool = True
    passes: list[tuple[str, float]] = field(default_factory=list)
    """(language, window) of every pass."""
    fails: Exception | None = None
    hold: threading.Event | None = None
    began: threading.Event = field(default_factory=threading.Event)

    def language_for(self, language: str) -> str:
        return language if self.multilingual else "en"

    def decode(
        self,
        audio: NDArray[np.float32],
        *,
        language: str,
        window_s: float = 30.0,
        max_tokens: int = 224,
    ) -> Decoded:
        self.passes.append((language, window_s))
        self.began.set()
        if self.hold is not None:
            assert self.hold.wait(10)
        if self.fails is not None:
            raise self.fails
        text = self.full if window_s == 30.0 else self.short
        segments = (Segment(0.0, text, tuple(map(hash, text.split()))),) if text else ()
        return Decoded(segments, mean_logprob=-0.2, no_speech=0.0, cut_short=False)


class LoudIsVoice:
    """Silero's stand-in: any sound is a voice."""

    def probabilities(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        windows = audio[: len(audio) // WINDOW_SAMPLES * WINDOW_SAMPLES]
        return (np.abs(windows.reshape(-1, WINDOW_SAMPLES)).max(axis=1) > 0.01).astype(np.float32)


def listening(
    decoder: FakeDecoder,
    test: Callable[[WhisperStt], Coroutine[Any, Any, None]],
    config: SttConfig | None = None,
) -> None:
    def load(config: SttConfig, cache_dir: Path) -> Models:
        return Models(cast(WhisperDecoder, decoder), cast(Silero, LoudIsVoice()))

    async def body() -> None:
        stt = WhisperStt(config or SttConfig(), cache_dir=Path("unused"), load=load)
        await stt.start()
        try:
            await test(stt)
        finally:
            await stt.close()

    asyncio.run(body())


def test_a_believed_short_pass_is_the_only_one() -> None:
    decoder = FakeDecoder()

    async def body(stt: WhisperStt) -> None:
        transcript = await stt.transcribe(TWO_SECONDS, language="en", final=True)
        assert (transcript.text, transcript.window) == ("short words", "short")
        assert (transcript.language, transcript.audio_s) == ("en", 2.0)

    listening(decoder, body)
    assert decoder.passes == [("en", SHORTEST_WINDOW_S)]


def test_the_short_window_grows_with_the_utterance_up_to_the_full_one() -> None:
    decoder = FakeDecoder()

    async def body(stt: WhisperStt) -> None:
        for seconds in (4.0, 10.0, 29.0):
            audio = np.full(int(seconds * SAMPLE_RATE_HZ), 0.1, np.float32)
            await stt.transcribe(audio, language="en", final=True)

    listening(decoder, body)
    assert [window for _, window in decoder.passes] == [4.0 + SHORT_PAD_S, 10.0 + SHORT_PAD_S, 30.0]


def test_a_doubted_short_pass_is_done_again_with_the_full_window() -> None:
    decoder = FakeDecoder(short="and so on and so on and so on")

    async def body(stt: WhisperStt) -> None:
        transcript = await stt.transcribe(TWO_SECONDS, language="en", final=True)
        assert (transcript.text, transcript.window) == ("full words", "full")
        assert stt.counts == {"doubt_loop": 1, "full": 1}

    listening(decoder, body)
    assert [window for _, window in decoder.passes] == [SHORTEST_WINDOW_S, 30.0]


def test_the_full_setting_makes_full_passes_only() -> None:
    decoder = FakeDecoder()

    async def body(stt: WhisperStt) -> None:
        transcript = await stt.transcribe(TWO_SECONDS, language="en", final=True)
        assert (transcript.text, transcript.window) == ("full words", "full")

    listening(decoder, body, SttConfig(window="full"))
    assert decoder.passes == [("en", 30.0)]


@pytest.mark.parametrize("samples", [0, 100, SAMPLE_RATE_HZ])
def test_audio_without_a_voice_is_empty_text_without_a_pass(samples: int) -> None:
    decoder = FakeDecoder()

    async def body(stt: WhisperStt) -> None:
        transcript = await stt.transcribe(np.zeros(samples, np.float32), language="en", final=True)
        assert transcript.text == ""
        assert stt.counts == {"no_voice": 1}

    listening(decoder, body)
    assert decoder.passes == []


def test_audio_longer_than_the_window_is_cut_where_it_is_quiet() -> None:
    decoder = FakeDecoder(full="one piece")
    audio = np.tile(TWO_SECONDS, 20)
    pause = slice(25 * SAMPLE_RATE_HZ, 26 * SAMPLE_RATE_HZ)
    audio[pause] = 0
    lengths: list[int] = []
    decode = decoder.decode
    decoder.decode = lambda audio, **named: (  # type: ignore[method-assign]
        lengths.append(len(audio)) or decode(audio, **named)  # type: ignore[func-returns-value]
    )

    async def body(stt: WhisperStt) -> None:
        transcript = await stt.transcribe(audio, language="en", final=True)
        assert transcript.text == "one piece one piece"
        assert transcript.audio_s == 40.0

    listening(decoder, body, SttConfig(window="full"))
    assert sum(lengths) == len(audio)
    assert pause.start <= lengths[0] <= pause.stop


def test_an_english_only_model_is_asked_for_english_whatever_the_persona_speaks() -> None:
    decoder = FakeDecoder(multilingual=False)

    async def body(stt: WhisperStt) -> None:
        assert (await stt.transcribe(TWO_SECONDS, language="zh", final=True)).language == "en"

    listening(decoder, body)
    assert decoder.passes[0][0] == "en"


def test_chinese_comes_out_simplified() -> None:
    async def body(stt: WhisperStt) -> None:
        transcript = await stt.transcribe(TWO_SECONDS, language="zh", final=True)
        assert transcript.text == "你好，请问"

    listening(FakeDecoder(short="你好，請問"), body)


def test_a_failing_model_is_an_error_with_its_words_and_the_next_request_works() -> None:
    decoder = FakeDecoder(fails=RuntimeError("out of memory"))

    async def body(stt: WhisperStt) -> None:
        with pytest.raises(SttFailed, match="RuntimeError: out of memory"):
            await stt.transcribe(TWO_SECONDS, language="en", final=True)
        decoder.fails = None
        assert (await stt.transcribe(TWO_SECONDS, language="en", final=True)).text == "short words"

    listening(decoder, body)


def test_a_second_waiting_partial_is_refused_and_finals_overtake_the_first() -> None:
    decoder = FakeDecoder(hold=threading.Event())

    async def body(stt: WhisperStt) -> None:
        assert decoder.hold is not None
        finished: list[str] = []

        async def ask(name: str, final: bool) -> None:
            await stt.transcribe(TWO_SECONDS, language="en", final=final)
            finished.append(name)

        running = asyncio.create_task(ask("running", final=False))
        await asyncio.to_thread(decoder.began.wait, 10)
        partial = asyncio.create_task(ask("partial", final=False))
        final = asyncio.create_task(ask("final", final=True))
        await asyncio.sleep(0)
        assert stt.waiting == 2
        with pytest.raises(SttBusy):
            await ask("refused", final=False)
        decoder.hold.set()
        await asyncio.gather(running, partial, final)
        assert finished == ["running", "final", "partial"]

    listening(decoder, body, SttConfig(workers=1))


def test_requests_before_the_start_and_after_the_end_are_errors() -> None:
    async def body() -> None:
        stt = WhisperStt(SttConfig(), cache_dir=Path("unused"))
        with pytest.raises(SttFailed, match="before start"):
            await stt.transcribe(TWO_SECONDS, language="en", final=True)
        await stt.close()
        with pytest.raises(SttFailed, match="closed"):
            await stt.transcribe(TWO_SECONDS, language="en", final=True)

    asyncio.run(body())
