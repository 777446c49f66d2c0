"""The page about the WebSocket door says what the door does."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from tts.audio.encode import AUDIO_FORMATS
from tts.servers import websocket as door
from tts.servers.websocket_session import MAX_AWAY, MORE_THAN_STREAMS, RESUME_WITHIN_S
from tts.servers.wire.session import AT_ONCE, KEEP_BYTES
from tts.servers.wire.websocket import (
    ClientMessage,
    Refusal,
    parse,
)

PAGE = (Path(__file__).parents[3] / "docs" / "protocols" / "websocket.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Of its tables: the words in code of each row's cells, and the rest of it."""
    return [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_message_of_a_client_stands_there_with_its_fields() -> None:
    messages, more = section("From the client").split("What a request may say of itself")
    options = {name for row in rows(more) for name in codes(row[0])}
    written = {codes(row[0])[0]: set(codes(row[1])) for row in rows(messages)}
    written["synthesize"] |= options
    written["start"] = written["synthesize"]
    fields = {
        get_args(cls.model_fields["type"].annotation)[0]: set(cls.model_fields) - {"type"}
        for cls in get_args(ClientMessage)
    }
    assert written == fields


def test_every_format_stands_there() -> None:
    (row,) = [row for row in rows(section("From the client")) if codes(row[0]) == ["format"]]
    assert set(codes(row[2])) == set(AUDIO_FORMATS)


def test_the_exchange_is_one() -> None:
    lines = section("An exchange").split("```")[1].strip().splitlines()
    assert [line[0] for line in lines] == ["<", ">"] + ["<"] * 6
    message = parse(lines[1][2:])
    assert not isinstance(message, Refusal)
    sent = [json.loads(line[2:]) for line in lines if line.startswith("< {")]
    assert [event["type"] for event in sent] == [
        *("session", "accepted", "marks", "progress", "done")
    ]
    headers = [bytes.fromhex(line[2:].split("+")[0]) for line in lines if line[2] != "{"]
    assert [len(header) for header in headers] == [16, 16]
    numbers = [int.from_bytes(header[4:8], "little") for header in headers]
    assert numbers == [2, 3]
    assert int.from_bytes(headers[1][8:], "little") == 1920 // 2
    assert sent[-1]["samples"] == (1920 + 38400) // 2


@pytest.mark.parametrize(
    "words",
    [
        f"`requests_at_once` ({AT_ONCE})",
        f"`keep_bytes` ({KEEP_BYTES // 1024} KiB",
        f"`resume_within_s` ({RESUME_WITHIN_S:.0f} s)",
        f"Of {MAX_AWAY} such sessions",
        f"{MORE_THAN_STREAMS} and twice",
        f"429 at {door.MAX_CONNECTIONS} connections",
        f"| {door.CLOSE_IDLE} | no request and no message for {door.IDLE_S:.0f} s |",
        f"| {door.CLOSE_RESUMED} | the session was resumed",
        f"each {door.HEARTBEAT_S:.0f} s",
    ],
)
def test_the_bounds_on_the_page_are_those_of_the_door(words: str) -> None:
    assert words in " ".join(PAGE.split("\n"))
