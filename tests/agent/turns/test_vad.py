"""The gate on scripted evidence, and the detector on synthetic sound that is no voice."""

import numpy as np
import pytest

from agent import weights
from agent.config import VadConfig
from agent.silero import WINDOW_SAMPLES, Silero
from agent.turns.events import SpeechStarted, SpeechStopped
from agent.turns.vad import FRAME_S, FRAME_SAMPLES, WINDOW_S, VoiceActivity, VoiceGate

CONFIG = VadConfig(start_ms=96, stop_ms=100)

Heard = list[tuple[float, SpeechStarted | SpeechStopped]]


def run(script: list[tuple[float, float, bool]], config: VadConfig = CONFIG) -> Heard:
    """Feed (seconds, silero, webrtcvad) stretches; the events with the time they came at.

    A window or frame takes its value from the stretch in which its middle lies.
    """
    ends = np.cumsum([seconds for seconds, _, _ in script])

    def stretch(middle_s: float) -> tuple[float, float, bool]:
        return script[min(int(np.searchsorted(ends, middle_s)), len(script) - 1)]

    gate, heard, windows = VoiceGate(config), [], 0
    for frame in range(1, round(float(ends[-1]) / FRAME_S) + 1):
        sure = None
        if (windows + 1) * WINDOW_S <= frame * FRAME_S + 1e-9:
            windows += 1
            sure = stretch((windows - 0.5) * WINDOW_S)[1]
        event = gate.step(stretch((frame - 0.5) * FRAME_S)[2], sure)
        if event is not None:
            heard.append((round(frame * FRAME_S, 3), event))
    return heard


def test_voice_starts_after_its_windows_and_stops_after_its_silence() -> None:
    """Windows end every 32 ms, frames every 20 ms; 0.64 s is the end of both."""
    heard = run([(0.64, 0.0, False), (0.64, 0.9, True), (0.64, 0.0, False)])
    assert heard == [
        (0.74, SpeechStarted(pytest.approx(0.64))),
        (1.38, SpeechStopped(pytest.approx(1.26))),
    ]


@pytest.mark.parametrize("windows", [1, 2])
def test_fewer_windows_than_asked_for_do_not_start(windows: int) -> None:
    assert run([(0.64, 0.0, False), (windows * WINDOW_S, 0.9, True), (0.64, 0.0, False)]) == []


def test_webrtcvad_alone_never_starts() -> None:
    assert run([(2.0, 0.2, True)]) == []


def test_a_doubtful_window_does_not_break_a_run_but_does_not_count() -> None:
    script = [(0.064, 0.9, True), (0.032, 0.4, True), (0.032, 0.9, True), (0.1, 0.4, True)]
    assert [event for _, event in run(script)] == [SpeechStarted(pytest.approx(0.0))]
    assert run([(0.064, 0.9, True), (0.4, 0.4, True)]) == []


def test_a_clearly_silent_window_breaks_a_run() -> None:
    two, silent = (0.064, 0.9, True), (0.032, 0.1, False)
    assert run([two, silent, two, silent, two, silent]) == []


def test_a_gap_shorter_than_the_stop_time_does_not_stop() -> None:
    heard = run([(0.64, 0.9, True), (0.064, 0.0, False), (0.64, 0.9, True)])
    assert [type(event) for _, event in heard] == [SpeechStarted]


def test_webrtcvad_delays_a_stop_but_only_for_as_long_again() -> None:
    soft_end = run([(0.64, 0.9, True), (0.14, 0.0, True), (0.5, 0.0, False)])
    assert soft_end[-1] == (0.8, SpeechStopped(pytest.approx(0.62)))
    in_noise = run([(0.64, 0.9, True), (1.0, 0.0, True)])
    assert in_noise[-1] == (0.84, SpeechStopped(pytest.approx(0.62)))


def test_speech_after_a_stop_starts_again_with_its_own_onset() -> None:
    voice, pause = (0.64, 0.9, True), (0.64, 0.0, False)
    events = [event for _, event in run([voice, pause, voice, pause])]
    assert events == [
        SpeechStarted(pytest.approx(0.0)),
        SpeechStopped(pytest.approx(0.62)),
        SpeechStarted(pytest.approx(1.28)),
        SpeechStopped(pytest.approx(1.9)),
    ]


def test_a_stop_is_never_before_its_start() -> None:
    config = VadConfig(start_ms=32, stop_ms=40)
    for _, event in run([(0.032, 0.9, False), (0.5, 0.0, False)], config):
        assert event.at_s >= 0.0


@pytest.fixture(scope="module")
def silero() -> Silero:
    return Silero(weights.find(weights.SILERO_VAD))


def frames(sound: np.ndarray) -> list[np.ndarray]:
    pcm = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
    return [pcm[i : i + FRAME_SAMPLES] for i in range(0, len(pcm) - FRAME_SAMPLES + 1, 320)]


@pytest.mark.parametrize("level", [0.0, 0.003, 0.1])
def test_noise_and_silence_do_not_start(silero: Silero, level: float) -> None:
    voice = VoiceActivity(CONFIG, silero)
    noise = np.random.default_rng(0).normal(0, level, 3 * 16_000)
    assert [event for frame in frames(noise) for event in voice.process(frame)] == []
    assert not voice.speaking


def test_calls_do_not_share_what_silero_remembers(silero: Silero) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, WINDOW_SAMPLES * 4).astype(np.float32)
    alone = silero.probabilities(noise)
    other = VoiceActivity(CONFIG, silero)
    for frame in frames(noise):
        other.process(frame)
    assert np.array_equal(silero.probabilities(noise), alone)


@pytest.mark.parametrize(
    "pcm", [np.zeros(160, np.int16), np.zeros(320, np.float32), np.zeros((2, 320), np.int16)]
)
def test_other_frames_are_refused_by_shape_and_type(silero: Silero, pcm: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"must be int16\[320\]"):
        VoiceActivity(CONFIG, silero).process(pcm)
