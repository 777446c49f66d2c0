"""smart-turn with our features against pipecat's own front end to the same file."""

import asyncio

import numpy as np
import pytest
from pipecat.audio.turn.smart_turn._whisper_features import compute_whisper_log_mel_features
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

from agent.offload import LaneClosed
from agent.turns.turn_model import TurnModel

pytestmark = pytest.mark.golden

RATE_HZ = 16_000


def vowel(seconds: float, seed: int = 0) -> np.ndarray:
    """A buzzing tone with a falling pitch, a syllable every 200 ms, and some noise."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    pitch = 180 - 10 * time
    sound = sum(np.sin(2 * np.pi * n * pitch * time) / n for n in range(1, 12))
    noise = np.random.default_rng(seed).normal(0, 0.02, len(time))
    return (0.1 * sound * np.abs(np.sin(5 * np.pi * time)) + noise).astype(np.float32)


INPUTS = {
    "nothing": np.zeros(0, np.float32),
    "silence": np.zeros(RATE_HZ, np.float32),
    "short": vowel(0.7),
    "with a pause": np.pad(vowel(2.0), (0, RATE_HZ // 2)),
    "quiet": vowel(3.0) * np.float32(0.01),
    "eight seconds": vowel(8.0),
    "longer than the window": vowel(11.0, seed=3),
}


@pytest.mark.parametrize("name", INPUTS)
def test_features_are_those_that_the_model_was_trained_on(name: str) -> None:
    audio = INPUTS[name]
    window = np.pad(audio[-8 * RATE_HZ :], (max(0, 8 * RATE_HZ - len(audio)), 0))
    theirs = compute_whisper_log_mel_features(window)
    ours = TurnModel().features(audio)
    assert ours.shape == (80, 800)
    assert np.abs(ours - theirs).max() < 2e-3


def test_probabilities_equal_those_of_pipecats_analyzer() -> None:
    theirs = LocalSmartTurnAnalyzerV3(sample_rate=RATE_HZ)

    async def body() -> None:
        model = TurnModel()
        await model.start()
        try:
            for name, audio in INPUTS.items():
                expected = theirs._predict_endpoint(audio)["probability"]
                assert await model.probability(audio) == pytest.approx(expected, abs=1e-3), name
        finally:
            await model.close()

    asyncio.run(body())


def test_a_cancelled_score_leaves_the_model_usable() -> None:
    async def body() -> None:
        model = TurnModel()
        await model.start()
        scores = [asyncio.create_task(model.probability(INPUTS["short"])) for _ in range(3)]
        await asyncio.sleep(0)
        for score in scores:
            score.cancel()
        assert await asyncio.gather(*scores, return_exceptions=True) != []
        assert all(score.cancelled() for score in scores)
        first = await model.probability(INPUTS["short"])
        assert await model.probability(INPUTS["short"]) == first
        await model.close()
        with pytest.raises(LaneClosed):
            await model.probability(INPUTS["short"])

    asyncio.run(body())


def test_scoring_before_the_start_says_so() -> None:
    async def body() -> None:
        model = TurnModel()
        with pytest.raises(RuntimeError, match="before start"):
            await model.probability(INPUTS["short"])
        await model.close()

    asyncio.run(body())
