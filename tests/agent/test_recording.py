"""The stereo recording: where samples land, and a file that is always valid."""

import asyncio
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.recording import StereoRecording
from agent.writer import FileWriter

RATE = 16_000


def tone(value: int, samples: int) -> bytes:
    return np.full(samples, value, dtype="<i2").tobytes()


def recorded(
    path: Path, use: Callable[[StereoRecording], None], agent_rate_hz: int = 0
) -> NDArray[np.int16]:
    async def scenario() -> None:
        writer = FileWriter()
        recording = StereoRecording(path, writer, rate_hz=RATE, agent_rate_hz=agent_rate_hz)
        use(recording)
        await recording.close()
        await writer.close()
        assert recording.lost_pieces == 0

    asyncio.run(scenario())
    return read(path)


def read(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def test_both_sides_lie_on_the_callers_clock(tmp_path: Path) -> None:
    def use(recording: StereoRecording) -> None:
        for _ in range(200):  # 4 s
            recording.write_caller(tone(100, 320))
        recording.write_agent(tone(-7, 320), at_sample=50_000)

    sound = recorded(tmp_path / "new" / "call.wav", use)
    assert len(sound) == 64_000
    assert np.all(sound[:, 0] == 100)
    assert np.flatnonzero(sound[:, 1]).tolist() == list(range(50_000, 50_320))


def test_agent_audio_ahead_of_the_caller_waits_for_its_place(tmp_path: Path) -> None:
    def use(recording: StereoRecording) -> None:
        recording.write_agent(tone(-7, 1600), at_sample=0)
        recording.write_agent(tone(-8, 1600), at_sample=1600)
        recording.write_caller(tone(1, 320))

    sound = recorded(tmp_path / "call.wav", use)
    assert sound[:, 1].tolist() == [-7] * 1600 + [-8] * 1600
    assert sound[:, 0].tolist() == [1] * 320 + [0] * 2880


def test_agent_audio_that_comes_too_late_loses_only_what_is_already_written(
    tmp_path: Path,
) -> None:
    def use(recording: StereoRecording) -> None:
        recording.write_caller(tone(1, 3 * RATE))  # 2 s are written, 1 s is held back
        recording.write_agent(tone(5, RATE), at_sample=3 * RATE // 2)

    sound = recorded(tmp_path / "call.wav", use)
    assert np.flatnonzero(sound[:, 1]).tolist() == list(range(2 * RATE, 5 * RATE // 2))


def test_the_agents_rate_is_brought_to_the_files_without_seams(tmp_path: Path) -> None:
    wave_48k = (8000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype("<i2")

    def use(recording: StereoRecording) -> None:
        for index in range(50):
            recording.write_caller(tone(0, 320))
            piece = wave_48k[index * 960 : (index + 1) * 960].tobytes()
            recording.write_agent(piece, at_sample=index * 320)

    sound = recorded(tmp_path / "call.wav", use, agent_rate_hz=48_000)
    expected = 8000 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    error = np.abs(sound[: len(expected), 1] - expected)
    assert error[100:-100].max() < 30


def test_the_file_is_valid_while_the_call_goes_on(tmp_path: Path) -> None:
    async def scenario() -> int:
        writer = FileWriter()
        recording = StereoRecording(tmp_path / "call.wav", writer, rate_hz=RATE)
        for _ in range(200):
            recording.write_caller(tone(3, 320))
        await writer.finish(lambda: None)
        frames = len(read(tmp_path / "call.wav"))  # as after a crash now
        await recording.close()
        await writer.close()
        return frames

    assert asyncio.run(scenario()) == 48_000  # 4 s less the second held back
    assert len(read(tmp_path / "call.wav")) == 64_000


def test_nothing_said_leaves_no_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        writer = FileWriter()
        recording = StereoRecording(tmp_path / "call.wav", writer)
        await recording.close()
        recording.write_caller(tone(1, 320))
        await recording.close()
        await writer.close()

    asyncio.run(scenario())
    assert list(tmp_path.iterdir()) == []


def test_agent_audio_far_ahead_of_the_caller_is_dropped(tmp_path: Path) -> None:
    def use(recording: StereoRecording) -> None:
        recording.write_caller(tone(1, RATE))
        recording.write_agent(tone(5, 320), at_sample=10**12)

    assert len(recorded(tmp_path / "call.wav", use)) == RATE
