"""What the guard makes of echoes, callers with headphones, and both voices at once."""

import math

import numpy as np
import pytest

from agent.turns.echo import KNOWN_FRAMES, EchoGuard

AGENT_DBFS = -22.0
NOISE_DBFS = -65.0


def voice(seconds: float, seed: int, level_dbfs: float = AGENT_DBFS) -> np.ndarray:
    """Loudness of somebody speaking, 20 ms a frame: syllables of some 0.2 s, words with gaps."""
    rng = np.random.default_rng(seed)
    levels: list[float] = []
    while len(levels) < seconds * 50:
        peak, length = rng.uniform(-6, 2), int(rng.integers(6, 14))
        levels += [peak - 14 * abs(2 * at / (length - 1) - 1) ** 2 for at in range(length)]
        if rng.random() < 0.3:
            levels += [-50.0] * int(rng.integers(3, 10))
    return np.array(levels[: round(seconds * 50)]) + level_dbfs


def silence(seconds: float) -> np.ndarray:
    return np.full(round(seconds * 50), -90.0)


def line(*sources: np.ndarray, seed: int = 9) -> np.ndarray:
    """Loudness of everything that sounds at once, over the noise of the line."""
    noise = NOISE_DBFS + np.random.default_rng(seed).normal(0, 0.5, len(sources[0]))
    return 10 * np.log10(sum(10 ** (source / 10) for source in (noise, *sources)))


def echo_of(agent: np.ndarray, coupling_db: float, lag_frames: int, seed: int = 3) -> np.ndarray:
    """The agent's voice as it comes back: later, weaker, and smeared by the room."""
    late = np.concatenate((np.full(lag_frames, -90.0), agent))[: len(agent)]
    smeared = np.maximum.reduce(
        [np.concatenate((np.full(k, -90.0), late))[: len(late)] - 2.5 * k for k in range(6)]
    )
    return smeared + coupling_db + np.random.default_rng(seed).normal(0, 1, len(agent))


def above(agent: np.ndarray, heard: np.ndarray) -> np.ndarray:
    guard = EchoGuard()
    return np.array([guard.step(*pair) for pair in zip(heard, agent, strict=True)])


@pytest.mark.parametrize("coupling_db", [-10.0, -18.0, -25.0])
@pytest.mark.parametrize("lag_frames", [0, 4, 11, 15])
def test_an_echo_is_explained_from_the_first_and_learnt_within_two_seconds(
    coupling_db: float, lag_frames: int
) -> None:
    agent = np.concatenate((silence(1), voice(6, seed=1)))
    heard = line(echo_of(agent, coupling_db, lag_frames))
    guard = EchoGuard()
    excess, learnt = [], len(agent)
    for frame, (level, said) in enumerate(zip(heard, agent, strict=True)):
        excess.append(guard.step(level, said))
        if guard.coupling_db is not None:
            learnt = min(learnt, frame)
    audible = heard > -55
    assert np.mean(np.array(excess)[audible] > 0) < 0.03
    assert learnt <= 50 + 2 * KNOWN_FRAMES
    assert guard.coupling_db == pytest.approx(coupling_db, abs=4)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("from_s", [0.3, 1.0, 3.0])
def test_a_caller_with_headphones_is_never_taken_for_an_echo(seed: int, from_s: float) -> None:
    agent = voice(6, seed=seed)
    caller = np.concatenate((silence(from_s), voice(6 - from_s, seed=100 + seed)))
    guard = EchoGuard()
    excess = [guard.step(*pair) for pair in zip(line(caller), agent, strict=True)]
    assert guard.coupling_db is None
    # Who begins with the agent is not told from an echo at once, unless they are as loud.
    unsure_s = 0.8 if from_s >= 1 else 2.2
    assert (np.array(excess[round(unsure_s * 50) :]) == math.inf).all()


@pytest.mark.parametrize("seed", range(4))
def test_who_talks_over_the_echo_is_heard(seed: int) -> None:
    agent = voice(8, seed=seed)
    caller = np.concatenate((silence(4), voice(4, seed=50 + seed, level_dbfs=-24)))
    excess = above(agent, line(caller, echo_of(agent, -20, 5)))
    speaks = caller > -34
    assert np.mean(excess[speaks] > 0) > 0.8


def test_an_echo_that_the_device_begins_to_cancel_is_forgotten() -> None:
    agent = voice(12, seed=2)
    echo = echo_of(agent, -15, 5)
    echo[200:] = -90
    guard = EchoGuard()
    for heard, said in zip(line(echo), agent, strict=True):
        guard.step(heard, said)
    assert guard.coupling_db is None or guard.coupling_db < -30


def test_while_the_agent_says_nothing_there_is_no_echo() -> None:
    guard = EchoGuard()
    for level in voice(3, seed=4):
        assert guard.step(level, -90.0) == math.inf
    assert guard.coupling_db is None


def test_the_same_echo_of_a_lowered_voice_is_explained_too() -> None:
    agent = voice(8, seed=5)
    agent[250:300] -= 12
    excess = above(agent, line(echo_of(agent, -15, 6)))
    assert np.mean(excess[250:330] > 0) < 0.05
