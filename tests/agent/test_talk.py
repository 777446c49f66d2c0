"""`parley talk`: what it reads, and what it reports."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.talk import Report, read_report, read_wav, voice_to_voice_ms


def server(**data: Any) -> dict[str, Any]:
    return {"type": "server-message", "data": data}


def heard(text: str, *, final: bool = True) -> dict[str, Any]:
    return {"type": "user-transcription", "data": {"text": text, "final": final}}


MESSAGES = [
    {"type": "bot-ready"},
    server(type="agent-text", utterance=1, text="Hello, "),
    server(type="agent-text", utterance=1, text="this is Anna."),
    server(type="agent-ended", utterance=1, spoken_chars=20, interrupted=False),
    heard("What", final=False),
    heard("What time is it?"),
    server(type="agent-text", utterance=2, text="It is noon, and the sun shines."),
    server(type="turn-latency", turn=1, stages={"stt_ms": 20, "llm_ms": 300}, total_ms=640),
    heard("Thanks"),
    server(type="agent-ended", utterance=2, spoken_chars=10, interrupted=True),
]


def test_the_transcript_holds_what_each_side_heard_in_order() -> None:
    report = read_report(Path("r.wav"), MESSAGES)
    assert report.lines == [
        ("agent", "Hello, this is Anna."),
        ("caller", "What time is it?"),
        ("agent", "It is noon"),
        ("caller", "Thanks"),
    ]


def test_the_report_shows_each_stage() -> None:
    report = read_report(Path("r.wav"), MESSAGES)
    report.voice_to_voice_ms = 655
    lines = str(report).splitlines()
    assert "turn        stt        llm      total" in lines
    assert "   1         20        300        640" in lines
    assert lines[-2:] == ["voice to voice on the recording: 655 ms", "recording: r.wav"]


def test_a_call_without_messages_is_reported_all_the_same() -> None:
    assert str(Report(Path("r.wav"))) == "recording: r.wav"


def test_the_response_time_is_read_off_the_recording() -> None:
    sound = np.zeros((48_000, 2), dtype=np.int16)
    sound[4_800:19_200, 0] = 1_000  # the caller speaks from 0.1 s to 0.4 s
    sound[2_400:4_800, 1] = 1_000  # the greeting
    sound[33_600:, 1] = -1_000  # the answer, from 0.7 s
    assert voice_to_voice_ms(sound, 48_000, question_end_s=0.5) == 300


def test_without_an_answer_there_is_no_response_time() -> None:
    sound = np.zeros((48_000, 2), dtype=np.int16)
    assert voice_to_voice_ms(sound, 48_000, question_end_s=0.5) is None
    sound[:480, 0] = 1_000
    assert voice_to_voice_ms(sound, 48_000, question_end_s=0.5) is None


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (44_100, 2), (48_000, 6)])
def test_any_rate_and_number_of_channels_is_read(
    tmp_path: Path, rate_hz: int, channels: int
) -> None:
    path = tmp_path / "q.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(np.full((rate_hz, channels), 900, dtype="<i2").tobytes())
    question = read_wav(path)
    assert (question.rate_hz, len(question.pcm)) == (rate_hz, rate_hz)
    assert np.all(question.pcm == 900)
