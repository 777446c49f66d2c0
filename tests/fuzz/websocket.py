"""The WebSocket door's messages: each line of the bytes is a client's next text frame.

Must hold: nothing raises; a frame is a message or a refusal; every answer is JSON; the numbers of
each request's frames rise by one from where its client said, and `has_room` is kept to.
"""

import json

import atheris

with atheris.instrument_imports(include=["tts.servers.wire", "tts.config"]):
    from tts.servers.wire import session as wire
    from tts.servers.wire import websocket
    from tts.servers.wire.websocket import (
        Ack,
        Audio,
        Cancel,
        Done,
        Ping,
        Progress,
        Refusal,
        Resume,
        Start,
        Synthesize,
        error_frame,
        parse,
        pong_frame,
    )

from tests.fuzz.running import run
from tts.errors import BadRequest

wire.KEEP_BYTES = 6_000  # a run shall not spend its time on copying
PIECE = bytes(2_000)
WORDS = [f'"{word}"' for word in (*websocket.Synthesize.model_fields, "seq", "session", "received")]
WORDS += [
    f'"type":"{word}"' for word in ("start", "text", "end", "cancel", "ack", "resume", "ping")
]
SEEDS = [
    b'{"type":"synthesize","id":"a","text":"Hi.","voice":"v","language":"en","resumable":true}\n'
    b'{"type":"ack","id":"a","seq":1}\n'
    b'{"type":"resume","session":"s","received":{"a":1}}\n'
    b'{"type":"cancel","id":"a"}',
    b'{"type":"start","id":"b","voice":"v","language":"en","marks":["phone"],"chunk_ms":100}\n'
    b'{"type":"text","id":"b","text":"Hi"}\n{"type":"end","id":"b"}\n'
    b'{"type":"synthesize","id":"c","text":"Hi.","voice":"v","language":"en","resumable":true}',
    b'{"type":"ping","t":1.5}\n{"type":"voices"}\n{"type":"ack","id":"a","seq":0}\n{}\n[]\nnull',
]


def number_of(frame: str | bytes) -> tuple[object, int]:
    """Which request it is of, and its number."""
    if isinstance(frame, bytes):
        _, _, handle, seq, _ = websocket.HEADER.unpack_from(frame)
        return handle, seq
    fields = json.loads(frame)
    return fields["id"], fields["seq"]


class Served:
    """A session, and what its engine and its socket would do between two messages."""

    def __init__(self) -> None:
        self.session = wire.Session("s", "")
        self.ids: set[str] = set()

    def take(self, message: object) -> None:
        if isinstance(message, Synthesize | Start):
            begun = self.session.begin(message.id, is_resumable=message.resumable)
            if isinstance(begun, Refusal):
                json.loads(error_frame(BadRequest(begun.message), id=begun.about))
            else:
                self.ids.add(message.id)
        elif isinstance(message, Ack):
            self.session.acknowledge(message.id, message.seq)
        elif isinstance(message, Cancel):
            outbox = self.session.find(message.id)
            if outbox is None:
                self.session.stray(message.id)
            else:
                outbox.cancel()
        elif isinstance(message, Resume):
            self.session.lose()
            resumed = self.session.resume(message.received)
            assert {id for id in self.ids if self.session.find(id)} == set(resumed.going_on)
            for id in resumed.going_on:
                self.follow(id, message.received[id] + 1)
        elif isinstance(message, Ping):
            json.loads(pong_frame(message))

    def follow(self, id: str, seq: int) -> None:
        """The first frame of a request after a resumption is the one its client waits for."""
        outbox = self.session.find(id)
        assert outbox is not None
        if outbox.has_unsent:
            frame = outbox.take()
            assert number_of(frame) in ((id, seq), (outbox.handle, seq))
            if outbox.is_over:
                self.session.drop(id)

    def go_on(self, number: int) -> None:
        """The engine speaks, where there is room; the socket takes a frame or two."""
        for id in sorted(self.ids):
            outbox = self.session.find(id)
            if outbox is not None and outbox.has_room:
                outbox.add(Audio(PIECE, 0, False) if number % 3 else Progress(1, 0.1))
                if number % 5 == 4:
                    outbox.add(Done(1, 1.0, 1.0, False))
                kept = outbox._kept_bytes
                assert 0 <= kept <= wire.KEEP_BYTES + len(PIECE) + 300
        for _ in range(2):
            frame = self.session.take()
            if frame is not None:
                number_of(frame)


def target(data: bytes) -> None:
    served = Served()
    for number, line in enumerate(data.split(b"\n")[:40]):
        message = parse(line.decode("utf-8", "replace"))
        if isinstance(message, Refusal):
            answer = json.loads(error_frame(BadRequest(message.message), id=message.about))
            assert answer["message"]
        else:
            served.take(message)
        served.go_on(number)


if __name__ == "__main__":
    run(target, SEEDS, WORDS)
