"""What the client's messages mean to the agent."""

from typing import Any

import pytest

from agent.rtvi import read_talk_key


def message(data: object, kind: str = "client-message") -> dict[str, Any]:
    return {"label": "rtvi-ai", "type": kind, "id": "1", "data": data}


@pytest.mark.parametrize("pressed", [True, False])
def test_the_talk_key_is_pressed_and_let_go(pressed: bool) -> None:
    assert read_talk_key(message({"t": "talk-key", "d": {"pressed": pressed}})) is pressed


@pytest.mark.parametrize(
    "foreign",
    [
        {},
        message({"t": "talk-key", "d": {"pressed": True}}, kind="server-message"),
        message({"t": "playout-delay", "d": {"delay_ms": 4}}),
        message({"t": "talk-key"}),
        message({"t": "talk-key", "d": {}}),
        message({"t": "talk-key", "d": {"pressed": "yes"}}),
        message({"t": "talk-key", "d": [True]}),
        message("talk-key"),
        message(None),
    ],
)
def test_other_messages_are_no_talk_key(foreign: dict[str, Any]) -> None:
    assert read_talk_key(foreign) is None
