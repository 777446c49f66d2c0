"""DNSMOS with its real model: the reference's marks, and a voice of ours over the whole way.

The expected marks were computed with the steps of the reference implementation, speechmos 0.0.1.1,
for the same samples; `tests/golden/dnsmos/hibari.flac` is a sentence in hibari's voice at 16 kHz.
"""

import asyncio
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.tts.test_contract import collect
from tests.tts.test_quality import MARKS, SUM, value
from tts import carriers
from tts.config import QualityConfig, ServiceConfig
from tts.dnsmos import LENGTH, RATE_HZ, Dnsmos, main
from tts.dnsmos import MARKS as ANSWER
from tts.engines import builders
from tts.service import SynthesisService
from tts.types import SynthesisRequest

pytestmark = pytest.mark.real

CLIP = Path(__file__).parents[1] / "golden" / "dnsmos" / "hibari.flac"


@pytest.fixture(scope="module")
def dnsmos() -> Dnsmos:
    return Dnsmos()


@pytest.fixture(scope="module")
def voice() -> NDArray[np.float32]:
    """The sentence, three times."""
    samples, rate_hz = soundfile.read(CLIP, dtype="float32")
    assert rate_hz == RATE_HZ
    return np.tile(samples, 3)


def test_marks_are_those_of_the_reference(dnsmos: Dnsmos, voice: NDArray[np.float32]) -> None:
    short, long = voice[: 5 * RATE_HZ], voice[: 23 * RATE_HZ // 2]
    random = np.random.default_rng(20)
    noise = random.normal(0, 0.1, len(short)).clip(-1, 1).astype(np.float32)
    noisy = (short + random.normal(0, 0.05, len(short))).clip(-1, 1).astype(np.float32)
    for samples, marks in (
        (short, (3.6535, 4.1882, 3.4422)),
        (long, (3.6523, 4.1923, 3.4439)),
        (noisy, (2.9704, 1.4877, 1.5923)),
        (noise, (1.1835, 1.103, 1.1066)),
    ):
        assert dnsmos.marks(samples) == pytest.approx(marks, abs=1e-3)


def test_as_a_program_it_answers_every_question_until_there_are_no_more(
    dnsmos: Dnsmos, voice: NDArray[np.float32]
) -> None:
    clips = [voice[: 10 * RATE_HZ], voice[: 5 * RATE_HZ]]
    questions = io.BytesIO(b"".join(LENGTH.pack(len(one)) + one.tobytes() for one in clips))
    answers = io.BytesIO()
    main(questions, answers)
    said = [ANSWER.unpack(answers.getvalue()[i : i + 12]) for i in (0, 12)]
    assert said == [pytest.approx(dnsmos.marks(one), abs=1e-6) for one in clips]
    assert len(answers.getvalue()) == 24


def test_a_light_voice_is_heard_while_it_serves_and_sounds_good() -> None:
    async def scenario() -> None:
        config = ServiceConfig(engines=("hibari",), quality=QualityConfig(share=1))
        service = SynthesisService(config, builders(config))
        await service.start()
        try:
            # Some ten seconds: the model hears them at once.
            text = "Your table is booked for half past seven. We look forward to seeing you. " * 2
            chunks = await collect(
                service.stream(
                    SynthesisRequest(text + "Until then, good bye, Anna.", "heart", "en")
                )
            )
            samples = sum(len(chunk.pcm) // 2 for chunk in chunks)
            assert 9.01 <= samples / chunks[0].sample_rate_hz < 11
            # At the lowest priority, it gets its turn when others leave it one.
            async with asyncio.timeout(300):
                while not value(service.metrics, MARKS, engine="hibari", scale="ovr"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        finally:
            await service.stop()
        heard = {
            scale: value(service.metrics, SUM, engine="hibari", scale=scale)
            for scale in ("sig", "bak", "ovr")
        }
        assert heard == pytest.approx({"sig": 3.65, "bak": 4.15, "ovr": 3.4}, abs=0.25)

    asyncio.run(scenario())


def test_a_missing_model_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "find", lambda package: None)
    with pytest.raises(ImportError, match="pip install --no-deps speechmos"):
        Dnsmos()
