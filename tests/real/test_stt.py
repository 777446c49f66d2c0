"""The recogniser with its real models, on human speech and on sound without any."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from agent import weights
from agent.config import SttConfig, VadConfig, cache_dir
from agent.silero import Silero
from agent.stt.types import SttBusy
from agent.stt.whisper import Models, WhisperStt, load
from agent.turns.events import SpeechStarted, SpeechStopped
from agent.turns.vad import FRAME_SAMPLES, VoiceActivity
from bench import stt_data
from bench.stt import errors

pytestmark = pytest.mark.real
RATE_HZ = 16_000


@pytest.fixture(scope="module")
def human() -> dict[str, stt_data.Clip]:
    return {clip.name: clip for clip in stt_data.human()}


@pytest.fixture(scope="module", params=["base", "tiny.en"])
def models(request: pytest.FixtureRequest) -> Models:
    return load(SttConfig(model=request.param), cache_dir(os.environ))


@pytest.fixture(scope="module")
def silero() -> Silero:
    return Silero(weights.find(weights.SILERO_VAD))


def with_stt(
    models: Models,
    test: Callable[[WhisperStt], Coroutine[Any, Any, None]],
    window: Literal["short", "full"] = "short",
) -> None:
    async def body() -> None:
        stt = WhisperStt(SttConfig(window=window), cache_dir=Path("unused"), load=lambda *_: models)
        await stt.start()
        try:
            await test(stt)
        finally:
            await stt.close()

    asyncio.run(body())


@pytest.mark.parametrize("window", ["short", "full"])
def test_human_speech_is_understood(
    models: Models, human: dict[str, stt_data.Clip], window: Literal["short", "full"]
) -> None:
    async def body(stt: WhisperStt) -> None:
        wrong = said = 0
        for clip in human.values():
            heard = await stt.transcribe(clip.audio, language="en", final=True)
            found, words = errors(clip.text, heard.text)
            wrong, said = wrong + found, said + words
        assert said == 105
        assert wrong / said <= 0.12

    with_stt(models, body, window)


def test_sound_without_speech_is_empty_text(models: Models) -> None:
    async def body(stt: WhisperStt) -> None:
        texts = {
            clip.name: (await stt.transcribe(clip.audio, language="en", final=True)).text
            for clip in stt_data.not_speech()
        }
        assert {name: text for name, text in texts.items() if text} == {}

    with_stt(models, body)


def test_finals_overtake_partials_and_a_cancelled_request_leaves_the_model_usable(
    models: Models, human: dict[str, stt_data.Clip]
) -> None:
    audio = human["goforward"].audio
    began, may_go = threading.Event(), threading.Event()

    async def body(stt: WhisperStt) -> None:
        order: list[str] = []

        async def ask(name: str, final: bool) -> str:
            heard = await stt.transcribe(audio, language="en", final=final)
            order.append(name)
            return heard.text

        def hold() -> None:
            began.set()
            assert may_go.wait(30)

        holding = asyncio.create_task(stt._lane.run(hold))
        await asyncio.to_thread(began.wait, 30)
        partial = asyncio.create_task(ask("partial", final=False))
        cancelled = asyncio.create_task(ask("cancelled", final=True))
        final = asyncio.create_task(ask("final", final=True))
        await asyncio.sleep(0)
        with pytest.raises(SttBusy):
            await ask("refused", final=False)
        cancelled.cancel()
        may_go.set()
        await asyncio.gather(holding, partial, final)
        assert order == ["final", "partial"]
        assert final.result() == partial.result()
        assert (await ask("next", final=True)).startswith("Go forward")

    with_stt(models, body)


@pytest.mark.parametrize("noise_db", [None, 20, 10])
def test_the_voice_of_a_person_starts_once_and_stops_near_its_end(
    silero: Silero, human: dict[str, stt_data.Clip], noise_db: int | None
) -> None:
    spoken = human["librivox-0930"].audio
    audio = np.pad(spoken, (RATE_HZ, RATE_HZ))
    if noise_db is not None:
        audio = stt_data.with_noise(audio, noise_db, "voice test")
    voice = VoiceActivity(VadConfig(), silero)
    pcm = (np.clip(audio, -1, 1) * 32767).astype(np.int16)
    events = [
        event
        for start in range(0, len(pcm) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
        for event in voice.process(pcm[start : start + FRAME_SAMPLES])
    ]
    assert isinstance(events[0], SpeechStarted)
    assert isinstance(events[-1], SpeechStopped)
    loud = np.flatnonzero(np.abs(spoken) > 0.02) / RATE_HZ + 1.0
    assert events[0].at_s == pytest.approx(loud[0], abs=0.3)
    assert events[-1].at_s == pytest.approx(loud[-1], abs=0.2)
