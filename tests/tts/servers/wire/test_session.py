"""The law of sessions: every frame once and in order, whatever becomes of connections."""

import json
from collections import deque
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tts.errors import EngineFailed
from tts.servers.wire.session import AT_ONCE, KEEP_BYTES, Outbox, Refusal, Session
from tts.servers.wire.websocket import (
    HEADER,
    Accepted,
    Audio,
    Done,
    Failed,
    Frame,
    Progress,
)

PIECE = bytes(KEEP_BYTES // 5)
"""Audio of which six fill what is kept."""


def seq_of(frame: Frame) -> int:
    return json.loads(frame)["seq"] if isinstance(frame, str) else HEADER.unpack_from(frame)[3]


def request_of(frame: Frame, handles: dict[int, str]) -> str:
    if isinstance(frame, str):
        return str(json.loads(frame)["id"])
    return handles[HEADER.unpack_from(frame)[2]]


@dataclass
class Client:
    """A client that keeps to the rule, and finds fault with any frame that is not the next."""

    frames: dict[str, list[Frame]] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    handles: dict[int, str] = field(default_factory=dict)

    def receive(self, frame: Frame) -> None:
        if isinstance(frame, str):
            message = json.loads(frame)
            if message["type"] == "accepted":
                self.handles[message["handle"]] = message["id"]
        id = request_of(frame, self.handles)
        assert id not in self.ended, f"a frame of {id} after its end"
        assert seq_of(frame) == len(self.frames[id])
        self.frames[id].append(frame)
        if isinstance(frame, str) and message["type"] in ("done", "cancelled", "error"):
            self.ended[id] = message["type"]

    def received(self) -> dict[str, int]:
        return {id: len(frames) - 1 for id, frames in self.frames.items() if id not in self.ended}


class World:
    """A session, its engine, a client, and a line between them that breaks."""

    def __init__(self) -> None:
        self.session = Session("s", "ann")
        self.client = Client()
        self.line: deque[Frame] = deque()  # on its way to the client
        self.acks: deque[tuple[str, int]] = deque()  # on its way to the server
        self.is_up = True
        self.made: dict[str, list[object]] = {}
        self.mortal: set[str] = set()  # that end with the connection
        self.cancelled: set[str] = set()
        self.lost: set[str] = set()

    def begin(self, is_resumable: bool) -> None:
        if not self.is_up or len(self.made) >= 5:
            return
        id = f"r{len(self.made)}"
        assert isinstance(self.session.begin(id, is_resumable=is_resumable), Outbox)
        if not is_resumable:
            self.mortal.add(id)
        self.client.frames[id] = []
        self.made[id] = []

    def speak(self, number: int, is_last: bool) -> None:
        """The engine gives something, if there is room for it."""
        living = [id for id in self.made if self.session.find(id)]
        if not living:
            return
        id = living[number % len(living)]
        outbox = self.session.find(id)
        assert outbox is not None
        if outbox.is_complete or not outbox.has_room:
            return
        made = self.made[id]
        event: object = Accepted("ann", 24_000, "pcm")
        if made:
            event = Done(1, 1.0, 1.0, False) if is_last else Audio(PIECE, len(made), False)
        made.append(event)
        outbox.add(event)

    def send(self) -> None:
        if self.is_up and (frame := self.session.take()) is not None:
            self.line.append(frame)

    def arrive(self) -> None:
        if self.line:
            self.client.receive(self.line.popleft())

    def acknowledge(self, number: int) -> None:
        """The client acknowledges what it has, maybe of a request that is over."""
        known = [id for id, frames in self.client.frames.items() if frames]
        if self.is_up and known:
            id = known[number % len(known)]
            self.acks.append((id, len(self.client.frames[id]) - 1))

    def hear(self) -> None:
        if self.acks:
            assert self.session.acknowledge(*self.acks.popleft()) is None

    def cancel(self, number: int) -> None:
        living = [id for id in self.made if self.session.find(id)]
        if self.is_up and living:
            id = living[number % len(living)]
            outbox = self.session.find(id)
            assert outbox is not None
            outbox.cancel()
            self.cancelled.add(id)

    def cut(self, arrived: int, heard: int) -> None:
        """The line breaks; of what was on its way, some still gets through."""
        for _ in range(arrived):
            self.arrive()
        for _ in range(heard):
            self.hear()
        self.line.clear()
        self.acks.clear()
        if self.is_up:
            assert set(self.session.lose()) <= self.mortal
            # Their client gives them up with the connection.
            for id in self.mortal - set(self.client.ended):
                self.lost.add(id)
                self.client.ended[id] = "lost"
        self.is_up = False

    def resume(self) -> None:
        if self.is_up:
            return
        received = self.client.received()
        resumed = self.session.resume(received)
        assert resumed.refused == ()
        assert set(resumed.going_on) | set(resumed.unknown) == set(received)
        # Nothing but what the client knows to be over is unwanted, and nothing it waits for lost.
        assert set(resumed.unwanted) <= set(self.client.ended)
        assert resumed.unknown == ()
        self.is_up = True

    def finish(self) -> None:
        """Peace at last: everything is spoken, sent, heard and acknowledged."""
        self.resume()
        for _ in range(1000):
            for number in range(len(self.made)):
                self.speak(number, is_last=True)
                self.acknowledge(number)
            self.hear()
            self.send()
            self.arrive()
            if not self.session.has_requests and not self.line:
                return
        raise AssertionError("the session never came to its end")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.booleans()),
        st.tuples(st.just("speak"), st.integers(0, 4), st.sampled_from([False] * 7 + [True])),
        st.tuples(st.just("speak"), st.integers(0, 4), st.just(False)),
        st.tuples(st.just("send")),
        st.tuples(st.just("send")),
        st.tuples(st.just("arrive")),
        st.tuples(st.just("acknowledge"), st.integers(0, 4)),
        st.tuples(st.just("hear")),
        st.tuples(st.just("cancel"), st.integers(0, 4)),
        st.tuples(st.just("cut"), st.integers(0, 5), st.integers(0, 3)),
        st.tuples(st.just("resume")),
    ),
    max_size=80,
)


@settings(max_examples=250, deadline=None)
@given(STEPS)
def test_every_frame_comes_once_and_in_order_whatever_becomes_of_the_line(
    steps: list[tuple[object, ...]],
) -> None:
    world = World()
    world.begin(is_resumable=True)
    for _ in range(4):
        world.speak(0, is_last=False)
        world.send()
    for name, *arguments in steps:
        getattr(world, str(name))(*arguments)
    world.finish()
    for id, made in world.made.items():
        frames = world.client.frames[id]
        assert [seq_of(frame) for frame in frames] == list(range(len(frames)))
        if id in world.lost:
            assert len(frames) <= len(made) + 1
            continue
        sounds = [frame for frame in frames if isinstance(frame, bytes)]
        assert [HEADER.unpack_from(frame)[4] for frame in sounds] == list(range(1, len(sounds) + 1))
        if id in world.cancelled and world.client.ended[id] == "cancelled":
            assert len(frames) <= len(made) + 1
        else:
            assert world.client.ended[id] == "done"
            assert len(frames) == len(made)


def filled(outbox: Outbox) -> int:
    """Pieces that it took until it was full."""
    count = 0
    while outbox.has_room:
        outbox.add(Audio(PIECE, count, False))
        count += 1
    return count


def begun(session: Session, id: str, *, is_resumable: bool) -> Outbox:
    outbox = session.begin(id, is_resumable=is_resumable)
    assert isinstance(outbox, Outbox)
    return outbox


def test_what_is_not_acknowledged_is_bounded_and_an_acknowledgement_makes_room() -> None:
    session = Session("s", "ann")
    outbox = begun(session, "a", is_resumable=True)
    assert filled(outbox) == 5
    while session.take() is not None:
        pass
    assert not outbox.has_room
    session.lose()
    assert not outbox.has_room
    session.resume({"a": 1})
    assert outbox.has_room
    assert [seq_of(session.take() or "") for _ in range(3)] == [2, 3, 4]


def test_without_resumption_nothing_is_kept_that_was_sent() -> None:
    session = Session("s", "ann")
    outbox = begun(session, "a", is_resumable=False)
    assert filled(outbox) == 1
    assert session.take() is not None
    assert outbox.has_room
    assert session.lose() == ("a",)
    assert not session.has_requests


def test_requests_take_turns_frame_by_frame() -> None:
    session = Session("s", "ann")
    for id in "abc":
        outbox = begun(session, id, is_resumable=True)
        for number in range(1 if id == "b" else 3):
            outbox.add(Progress(number, 0.0))
    order = []
    while (frame := session.take()) is not None:
        order.append(json.loads(frame)["id"])
    assert order == ["a", "b", "c", "a", "c", "a", "c"]


def test_a_request_that_begins_while_another_is_far_ahead_has_its_turn_next_but_one() -> None:
    session = Session("s", "ann")
    first = begun(session, "a", is_resumable=True)
    for number in range(100):
        first.add(Progress(number, 0.0))
    session.take()
    begun(session, "b", is_resumable=True).add(Progress(0, 0.0))
    order = [json.loads(session.take() or "")["id"] for _ in range(3)]
    assert order == ["a", "b", "a"]


def test_cancelling_drops_what_was_not_sent_and_leaves_the_others() -> None:
    session = Session("s", "ann")
    a, b = (begun(session, id, is_resumable=True) for id in "ab")
    for number in range(3):
        a.add(Progress(number, 0.0))
        b.add(Progress(number, 0.0))
    session.take()
    session.take()
    a.cancel()
    a.add(Progress(9, 0.0))
    rest = []
    while (frame := session.take()) is not None:
        message = json.loads(frame)
        rest.append((message["id"], message["type"], message["seq"]))
    assert rest == [
        ("a", "cancelled", 1),
        ("b", "progress", 1),
        ("b", "progress", 2),
    ]


def test_cancelling_what_has_ended_changes_nothing() -> None:
    session = Session("s", "ann")
    outbox = begun(session, "a", is_resumable=True)
    outbox.add(Failed(EngineFailed("scripted")))
    frame = session.take()
    outbox.cancel()
    assert session.take() is None
    session.resume({"a": -1})
    assert session.take() == frame


def test_more_requests_than_allowed_are_refused_until_one_is_over() -> None:
    session = Session("s", "ann")
    for number in range(AT_ONCE):
        begun(session, str(number), is_resumable=False)
    refused = session.begin("more", is_resumable=False)
    assert isinstance(refused, Refusal)
    assert refused.about == "more"
    first = session.find("0")
    assert first is not None
    first.add(Done(0, 0.0, 0.0, False))
    session.take()
    begun(session, "more", is_resumable=False)


def test_an_id_in_use_is_refused_without_harm_and_free_again_at_the_end() -> None:
    session = Session("s", "ann")
    outbox = begun(session, "a", is_resumable=False)
    refused = session.begin("a", is_resumable=False)
    assert isinstance(refused, Refusal)
    assert refused.about is None
    outbox.add(Done(0, 0.0, 0.0, False))
    session.take()
    begun(session, "a", is_resumable=False)


def test_handles_are_not_used_twice_at_once() -> None:
    session = Session("s", "ann")
    old = begun(session, "old", is_resumable=True)
    seen = {old.handle}
    for number in range(2**16):
        outbox = begun(session, str(number), is_resumable=False)
        assert outbox.handle != old.handle
        seen.add(outbox.handle)
        session.drop(str(number))
    assert len(seen) == 2**16


def test_acknowledging_what_was_never_sent_is_refused() -> None:
    session = Session("s", "ann")
    outbox = begun(session, "a", is_resumable=True)
    outbox.add(Progress(0, 0.0))
    refused = session.acknowledge("a", 0)
    assert isinstance(refused, Refusal)
    assert "none yet" in refused.message
    session.take()
    assert session.acknowledge("a", 0) is None
    assert isinstance(session.acknowledge("a", 1), Refusal)


def test_a_message_for_a_request_that_has_just_ended_is_no_fault_one_for_no_request_is() -> None:
    session = Session("s", "ann")
    begun(session, "a", is_resumable=False).add(Done(0, 0.0, 0.0, False))
    session.take()
    assert session.acknowledge("a", 0) is None
    assert session.stray("a") is None
    assert isinstance(session.acknowledge("b", 0), Refusal)


def test_resuming_from_before_what_was_acknowledged_ends_the_request_and_says_so() -> None:
    session = Session("s", "ann")
    outbox = begun(session, "a", is_resumable=True)
    for number in range(3):
        outbox.add(Progress(number, 0.0))
        session.take()
    session.acknowledge("a", 1)
    resumed = session.resume({"a": 0, "b": -1})
    assert resumed.going_on == ()
    assert [id for id, _ in resumed.refused] == ["a"]
    assert "up to 1 were acknowledged" in resumed.refused[0][1].message
    assert resumed.unknown == ("b",)
    assert not session.has_requests


def test_resuming_beyond_what_was_sent_ends_the_request() -> None:
    session = Session("s", "ann")
    begun(session, "a", is_resumable=True).add(Progress(0, 0.0))
    resumed = session.resume({"a": 0})
    assert [id for id, _ in resumed.refused] == ["a"]


def test_requests_that_the_client_does_not_name_are_dropped() -> None:
    session = Session("s", "ann")
    for id in "ab":
        begun(session, id, is_resumable=True)
    resumed = session.resume({"b": -1})
    assert (resumed.going_on, resumed.unwanted) == (("b",), ("a",))
    assert session.find("a") is None


def test_a_client_that_first_names_too_little_and_then_acknowledges_all_gets_no_frame_twice() -> (
    None
):
    session = Session("s", "ann")
    outbox = begun(session, "a", is_resumable=True)
    for number in range(4):
        outbox.add(Progress(number, 0.0))
    for _ in range(3):
        session.take()
    session.resume({"a": -1})
    assert session.acknowledge("a", 2) is None
    assert seq_of(session.take() or "") == 3
