"""The event log of a call: order, redaction, loss and closing."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.events import CallLog, NoLog
from agent.writer import FileWriter


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def log_of(
    path: Path, use: Callable[[CallLog, Clock], None], *, log_text: bool = False
) -> list[dict[str, Any]]:
    async def scenario() -> None:
        writer, clock = FileWriter(), Clock()
        log = CallLog(path, writer, log_text=log_text, clock=clock)
        use(log, clock)
        await log.close()
        await writer.close()

    asyncio.run(scenario())
    return lines(path)


def test_events_stand_in_order_with_their_time_in_the_call(tmp_path: Path) -> None:
    def use(log: CallLog, clock: Clock) -> None:
        clock.now_s += 1.25
        log.event("speech_started", level=3)
        clock.now_s += 0.5
        log.event("turn_ended", reason="silence")

    entries = log_of(tmp_path / "new" / "call.jsonl", use)
    assert [(entry["t"], entry["event"]) for entry in entries] == [
        (0.0, "log_opened"),
        (1.25, "speech_started"),
        (1.75, "turn_ended"),
        (1.75, "log_closed"),
    ]
    assert entries[2]["reason"] == "silence"


def test_speech_is_not_written_unless_asked_for(tmp_path: Path) -> None:
    def use(log: CallLog, clock: Clock) -> None:
        log.event("stt_final", text="my pin is 1234", words=["my", "pin"], audio_s=1.5)

    closed = log_of(tmp_path / "closed.jsonl", use)[1]
    assert closed == {
        "t": 0.0,
        "event": "stt_final",
        "text_chars": 14,
        "words_count": 2,
        "audio_s": 1.5,
    }
    opened = log_of(tmp_path / "opened.jsonl", use, log_text=True)[1]
    assert (opened["text"], opened["words"]) == ("my pin is 1234", ["my", "pin"])


def test_a_writer_that_falls_behind_loses_events_and_says_how_many(tmp_path: Path) -> None:
    async def scenario() -> None:
        writer = FileWriter(max_waiting=2)
        gate = threading.Event()
        held = threading.Event()
        writer.post(lambda: (held.set(), gate.wait(10)))  # type: ignore[arg-type,return-value]
        await asyncio.to_thread(held.wait)
        log = CallLog(tmp_path / "call.jsonl", writer)  # its first event waits
        log.event("a")
        for _ in range(3):
            log.event("lost")
        gate.set()
        await writer.finish(lambda: None)
        log.event("b")
        await log.close()
        await writer.close()

    asyncio.run(scenario())
    entries = lines(tmp_path / "call.jsonl")
    assert [entry["event"] for entry in entries] == ["log_opened", "a", "b", "log_closed"]
    assert entries[2]["dropped_before"] == 3


def test_nothing_is_written_after_closing(tmp_path: Path) -> None:
    async def scenario() -> None:
        writer = FileWriter()
        log = CallLog(tmp_path / "call.jsonl", writer)
        await log.close()
        log.event("late")
        await log.close()
        await writer.close()

    asyncio.run(scenario())
    assert [entry["event"] for entry in lines(tmp_path / "call.jsonl")] == [
        "log_opened",
        "log_closed",
    ]


def test_a_disk_that_refuses_ends_no_call(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    async def scenario() -> None:
        writer = FileWriter()
        log = CallLog(tmp_path / "file" / "call.jsonl", writer)
        log.event("a")
        await log.close()
        await writer.close()

    asyncio.run(scenario())
    assert (tmp_path / "file").read_text() == "in the way"


def test_no_log_takes_everything() -> None:
    log = NoLog()
    log.event("anything", text="x")
    asyncio.run(log.close())
