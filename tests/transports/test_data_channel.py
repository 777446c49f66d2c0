import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.data_channel import (
    MAX_BUFFERED_BYTES,
    MAX_QUEUED_MESSAGES,
    AgentMessage,
    Ignored,
    Outbox,
    PeerLeft,
    Ping,
    PlayoutDelay,
    read_message,
)


@pytest.mark.parametrize("message", ["ping", "ping: 1719", "ping\n"])
def test_ping_keeps_the_line_alive(message):
    assert read_message(message) == Ping()


def test_objects_are_for_the_agent():
    message = {"label": "rtvi-ai", "type": "client-ready", "id": "1", "data": {}}
    assert read_message(json.dumps(message)) == AgentMessage(message)
    other = {"type": "client-message", "data": {"t": "other", "d": 1}}
    assert read_message(json.dumps(other)) == AgentMessage(other)


def test_playout_delay_is_for_the_transport():
    message = {"type": "client-message", "data": {"t": "playout-delay", "d": {"delay_ms": 80}}}
    assert read_message(json.dumps(message)) == PlayoutDelay(80.0)


@pytest.mark.parametrize("delay", ["80", None, True, [], {}])
def test_playout_delay_that_is_no_number_is_ignored_with_a_reason(delay):
    message = {"type": "client-message", "data": {"t": "playout-delay", "d": {"delay_ms": delay}}}
    ignored = read_message(json.dumps(message))
    assert isinstance(ignored, Ignored) and "delay_ms" in (ignored.fault or "")


def test_signalling_is_handled_here():
    def signalling(message):
        return read_message(json.dumps({"type": "signalling", "message": message}))

    assert signalling({"type": "peerLeft"}) == PeerLeft()
    status = {"type": "trackStatus", "receiver_index": 0, "enabled": False}
    assert signalling(status) == Ignored(None)
    assert signalling({"type": "unheard-of"}).fault is not None
    assert signalling(None).fault is not None


@pytest.mark.parametrize(
    "message", [b"ping", "", "{", "[]", "1", "null", '"x"', "[" * 60_000, "x" * 70_000, "\ud800"]
)
def test_foreign_messages_are_ignored_with_a_reason(message):
    ignored = read_message(message)
    assert isinstance(ignored, Ignored) and ignored.fault


@given(st.text() | st.binary() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_nothing_raises(message):
    read_message(message)


@given(st.dictionaries(st.sampled_from(["type", "message", "data", "label"]), st.from_type(type)))
def test_no_object_raises(shape):
    read_message(json.dumps({key: str(value) for key, value in shape.items()}))


def test_messages_wait_for_the_channel_and_then_go_in_order():
    outbox, sent = Outbox(), []
    outbox.put({"n": 0})
    outbox.put({"n": 1})
    outbox.open(sent.append, lambda: 0)
    outbox.put({"n": 2})
    assert [json.loads(text)["n"] for text in sent] == [0, 1, 2]


def test_first_messages_are_kept_when_too_many_wait():
    outbox, sent = Outbox(), []
    for n in range(MAX_QUEUED_MESSAGES + 5):
        outbox.put(n)
    outbox.open(sent.append, lambda: 0)
    assert [json.loads(text) for text in sent] == list(range(MAX_QUEUED_MESSAGES))
    assert outbox.dropped == 5


def test_caller_that_does_not_read_costs_messages_not_memory():
    outbox, sent = Outbox(), []
    outbox.open(sent.append, lambda: MAX_BUFFERED_BYTES + 1)
    outbox.put({"n": 0})
    assert sent == [] and outbox.dropped == 1


def test_what_cannot_be_json_is_dropped():
    outbox = Outbox()
    outbox.put({"n": object()})
    assert outbox.dropped == 1
