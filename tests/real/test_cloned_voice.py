"""A call in a cloned voice: the whole way from a voice's folder to what the caller hears.

No trained weights can be had where tests run, so the voice is a small GPT-SoVITS v2 with random
weights: it babbles and says nothing.  What is tested is the way, not how it sounds: that the caller
hears what `parley say` makes of the same text, that the greeting can be interrupted, and that a
light voice's calls go on beside it.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from bench.calls import RATE_HZ
from tests.real.daemon import ROOT, Daemon, running_daemon
from tests.tts.voices.tiny import TinyVoices, tiny_voices
from transports.caller import Caller

pytestmark = pytest.mark.real

# One clause, so that a call has it spoken in one piece.
GREETING = "Welcome to the evening show with all of us."
LONG_GREETING = " ".join(["This is a long story, and it goes on and on."] * 40)
PERSONA = """
name = "{name}"
language = "en"
voice = "{voice}"
emotion = "{emotion}"
prompt = "Be brief."
greeting = "{greeting}"
"""


@dataclass(frozen=True, slots=True)
class House:
    """A daemon with a cloned voice, and how to reach the same voice without it."""

    daemon: Daemon
    settings: list[str]

    def said(self, text: str, out: Path, *options: str, voice: str = "tiny") -> NDArray[np.float32]:
        """What `parley say` makes of a text, at the caller's rate."""
        overrides = [part for setting in self.settings for part in ("--set", setting)]
        subprocess.run(
            [
                *(sys.executable, "-m", "agent.cli", "say", *overrides),
                *(text, "--voice", voice, "--out", str(out), *options),
            ],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        samples, rate_hz = soundfile.read(out, dtype="float32")
        return np.asarray(soxr.resample(samples, rate_hz, RATE_HZ), np.float32)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> TinyVoices:
    found = tiny_voices(tmp_path_factory.mktemp("cloned"))
    found.add_compiled("tiny", emotions=("calm", "happy"))
    return found


@pytest.fixture(scope="module")
def house(voices: TinyVoices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    personas = tmp_path_factory.mktemp("personas")
    for name, voice, emotion, greeting in (
        ("cloned", "tiny", "", GREETING),
        ("happy", "tiny", "happy", GREETING),
        ("storyteller", "tiny", "", LONG_GREETING),
        ("light", "heart", "", GREETING),
    ):
        text = PERSONA.format(name=name, voice=voice, emotion=emotion, greeting=greeting)
        (personas / f"{name}.toml").write_text(text)
    cloned = [
        f"tts.service.gpt_sovits.voices_dir={voices.voices_dir}",
        f"tts.service.gpt_sovits.pretrained_dir={voices.pretrained_dir}",
    ]
    calls = [
        f"calls.personas_dir={personas}",
        "calls.default_persona=cloned",
        'calls.log_dir=""',
        "turns.idle_prompt_s=0",
    ]
    with running_daemon(*cloned, *calls) as daemon:
        yield House(daemon, cloned)


async def greeting_of(daemon: Daemon, persona: str) -> NDArray[np.float32]:
    """What a caller who says nothing hears, at `RATE_HZ`."""
    caller = await Caller.dial(daemon.url, persona=persona)
    try:
        async with asyncio.timeout(60):
            await caller.wait_for_voice(0.0)
            await caller.wait_for_quiet(1.5)
    finally:
        await caller.hang_up()
    return caller.recording(RATE_HZ)[:, 1].astype(np.float32) / np.float32(32768)


def likeness(heard: NDArray[np.float32], meant: NDArray[np.float32]) -> float:
    """The largest correlation of `meant` with any stretch of `heard`: 1 when it is in there.

    In the band whose waveform Opus keeps.
    """
    heard, meant = band(heard), band(meant)
    size = 1 << int(len(heard) + len(meant)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(meant, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(heard.astype(np.float64) ** 2)])
    stretches = len(heard) - len(meant)
    assert stretches > 0, f"{len(heard)} samples heard, {len(meant)} meant"
    norms = np.sqrt(energy[len(meant) :] - energy[: stretches + 1]) * np.linalg.norm(meant)
    # Silence is like nothing.
    sounding = norms > 0.1 * norms.max()
    return float((product[: stretches + 1][sounding] / norms[sounding]).max())


def band(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """300 to 2000 Hz of a signal."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    spectrum[(hz < 300) | (hz > 2000)] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def test_the_caller_hears_the_cloned_voice_in_the_emotion_of_the_persona(
    house: House, tmp_path: Path
) -> None:
    calm = house.said(GREETING, tmp_path / "calm.wav")
    happy = house.said(GREETING, tmp_path / "happy.wav", "--emotion", "happy")
    heard = asyncio.run(greeting_of(house.daemon, "cloned"))
    heard_happy = asyncio.run(greeting_of(house.daemon, "happy"))
    # Random weights sound much alike in every emotion, but not the same.
    shortest = min(len(calm), len(happy))
    # The tokens are the same; how finely their sound is made depends on when each chunk was.
    own = likeness(heard, calm[:shortest]) + likeness(heard_happy, happy[:shortest])
    other = likeness(heard, happy[:shortest]) + likeness(heard_happy, calm[:shortest])
    assert own > other


def test_a_caller_interrupts_a_cloned_voice_and_is_answered_in_it(house: House) -> None:
    async def call() -> None:
        question = spoken("What is the capital of France?")
        caller = await Caller.dial(house.daemon.url, persona="storyteller")
        try:
            async with asyncio.timeout(90):
                began_s = await caller.wait_for_voice(0.0)
                await asyncio.sleep(2.0)
                speech = await caller.say(question)
                await caller.wait_for_voice(speech.end_s + 0.05)
                await caller.wait_for_quiet(2.0)
        finally:
            await caller.hang_up()
        agent = caller.recording(RATE_HZ)[:, 1]
        waiting = agent[int((speech.end_s - 0.4) * RATE_HZ) : int(speech.end_s * RATE_HZ)]
        assert np.abs(waiting).max() == 0, "the agent still spoke at the end of the interruption"
        greeting, answer = utterances(caller)[:2]
        assert began_s < speech.start_s
        assert LONG_GREETING.startswith(greeting) and 0 < len(greeting) < len(LONG_GREETING)
        assert len(answer) > 0

    asyncio.run(call())


def test_a_light_voice_speaks_while_a_cloned_one_does(house: House, tmp_path: Path) -> None:
    async def calls() -> NDArray[np.float32]:
        babbling = await Caller.dial(house.daemon.url, persona="storyteller")
        try:
            async with asyncio.timeout(60):
                await babbling.wait_for_voice(0.0)
                light = await greeting_of(house.daemon, "light")
            since_s = babbling.now_s
            async with asyncio.timeout(5):
                await babbling.wait_for_voice(since_s)
        finally:
            await babbling.hang_up()
        return light

    light = asyncio.run(calls())
    assert likeness(light, house.said(GREETING, tmp_path / "light.wav", voice="heart")) > 0.8


def utterances(caller: Caller) -> list[str]:
    """What the agent said, as far as it was heard, an utterance each."""
    shown: dict[int, str] = {}
    for message in caller.messages:
        note = message.content.get("data") or {}
        if message.content.get("type") == "server-message" and note["type"] == "agent-text":
            shown[note["utterance"]] = shown.get(note["utterance"], "") + note["text"]
    return list(shown.values())


def spoken(text: str) -> NDArray[np.int16]:
    """A text as a caller says it, 16 kHz."""
    from hibari import Hibari

    audio = soxr.resample(np.asarray(Hibari()(text), np.float32), 24_000, RATE_HZ)
    return (audio / np.abs(audio).max() * 16_000).astype(np.int16)
