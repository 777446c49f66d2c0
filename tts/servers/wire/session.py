"""What a WebSocket session owes its client: numbered frames, sent fairly, kept until they came.

In: events of requests, acknowledgements, lost and new connections.  Out: the next frame to send.
A request is *resumable* if its client said so: then each frame is kept until it is acknowledged,
and no more are made than may be kept; without, a frame is forgotten as it is sent, and the request
ends with its connection.  Knows nothing of sockets, clocks or the service.  Loop's thread only.

The law: through any pattern of lost connections and acknowledgements, a client that keeps to the
rule (docs/protocols/websocket.md) gets each frame of a resumable request once and in order.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from tts.servers.wire.websocket import Cancelled, Done, Event, Failed, Frame, Refusal, encode

KEEP_BYTES = 524_288
"""Of each resumable request, so much may wait to be acknowledged, and one frame more; at 24 kHz
eleven seconds.  Then its engine rests."""
AHEAD_BYTES = 65_536
"""Of each other request, so much may wait to be sent, and one frame more."""
AT_ONCE = 16
"""Requests that a session may have; one that ended counts until its last frame has come."""
_REMEMBERED = 64
_HANDLES = 2**16


class Outbox:
    """The frames of one request."""

    def __init__(self, id: str, handle: int, *, is_resumable: bool) -> None:
        self.id = id
        self.handle = handle
        self.is_resumable = is_resumable
        self.is_complete = False
        """Whether its last event is in."""
        # Bound: `has_room`, which whoever adds events waits for.
        self._frames: deque[Frame] = deque()
        self._first_seq = 0  # of what is kept
        self._position = 0  # what is sent next
        self._highest_sent = -1
        self._kept_bytes = 0

    @property
    def has_room(self) -> bool:
        """Whether more may be added."""
        return self._kept_bytes < (KEEP_BYTES if self.is_resumable else AHEAD_BYTES)

    @property
    def has_unsent(self) -> bool:
        """Whether `take` has something to give."""
        return self._position < self._first_seq + len(self._frames)

    @property
    def is_over(self) -> bool:
        """Whether the request has ended and nothing more is owed."""
        return self.is_complete and not self._frames

    def add(self, event: Event) -> None:
        """Number an event.  After the last one there is none."""
        if self.is_complete:
            return
        seq = self._first_seq + len(self._frames)
        frame = encode(event, id=self.id, handle=self.handle, seq=seq)
        self._frames.append(frame)
        self._kept_bytes += len(frame)
        self.is_complete = isinstance(event, Done | Cancelled | Failed)

    def cancel(self) -> None:
        """End with `cancelled`; what was not sent never will be."""
        if self.is_complete and not self.has_unsent:
            return
        while self.has_unsent:
            self._kept_bytes -= len(self._frames.pop())
        self._highest_sent = self._position - 1
        self.is_complete = False
        self.add(Cancelled())

    def take(self) -> Frame:
        """The next frame to send; there must be one."""
        frame = self._frames[self._position - self._first_seq]
        self._highest_sent = max(self._highest_sent, self._position)
        self._position += 1
        if not self.is_resumable:
            self._forget(self._position)
        return frame

    def acknowledge(self, seq: int) -> Refusal | None:
        """All up to `seq` have come."""
        if seq > self._highest_sent:
            return Refusal(f"seq = {seq}: the last frame sent of {self.id!r} is {self._sent()}")
        if self.is_resumable:
            self._forget(seq + 1)
            self._position = max(self._position, seq + 1)
        return None

    def rewind(self, received: int) -> Refusal | None:
        """A connection was lost after `received`; send the frames after it (again)."""
        if received < self._first_seq - 1:
            return Refusal(
                f"received.{self.id} = {received}: frames up to {self._first_seq - 1} were "
                "acknowledged, and are not kept"
            )
        if (refusal := self.acknowledge(received)) is not None:
            return refusal
        self._position = received + 1
        return None

    def _forget(self, seq: int) -> None:
        while self._first_seq < seq:
            self._kept_bytes -= len(self._frames.popleft())
            self._first_seq += 1

    def _sent(self) -> str:
        return str(self._highest_sent) if self._highest_sent >= 0 else "none yet"


@dataclass(frozen=True, slots=True)
class Resumed:
    """What became of the requests that a session had."""

    going_on: tuple[str, ...]
    unknown: tuple[str, ...]
    """Named by the client, and not of the session: they never came."""
    refused: tuple[tuple[str, Refusal], ...]
    """What the client says it has cannot be; they end."""
    unwanted: tuple[str, ...]
    """Not named by the client; they end."""


class Session:
    """The requests of one client, over one connection or several after each other."""

    def __init__(self, id: str, caller: str) -> None:
        """`id` cannot be guessed; `caller` is who may resume it."""
        self.id = id
        self.caller = caller
        self._outboxes: dict[str, Outbox] = {}
        # Whose frame is next: those that had one last stand behind the others.
        self._turns: deque[str] = deque()
        # What ends while its client still writes to it is nothing to complain of.
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self._handle = 0

    @property
    def has_requests(self) -> bool:
        """Whether anything is owed or being spoken."""
        return bool(self._outboxes)

    @property
    def requests(self) -> int:
        """How many are not over."""
        return len(self._outboxes)

    def begin(self, id: str, *, is_resumable: bool) -> Outbox | Refusal:
        """A new request.  A refusal's `about` is None where the request of that id goes on."""
        if id in self._outboxes:
            return Refusal(f"id = {id!r}: a request with it is not over yet")
        if len(self._outboxes) >= AT_ONCE:
            return Refusal(f"{AT_ONCE} requests of this connection are not over yet, the limit", id)
        handles = {outbox.handle for outbox in self._outboxes.values()}
        while self._handle in handles:
            self._handle = (self._handle + 1) % _HANDLES
        outbox = Outbox(id, self._handle, is_resumable=is_resumable)
        self._handle = (self._handle + 1) % _HANDLES
        self._outboxes[id] = outbox
        self._turns.append(id)
        return outbox

    def find(self, id: str) -> Outbox | None:
        """A request that is not over."""
        return self._outboxes.get(id)

    def stray(self, id: str) -> Refusal | None:
        """What is wrong with a message for a request that `find` does not know, if anything."""
        if id in self._ended:
            return None
        return Refusal(f"id = {id!r}: there is no such request")

    def take(self) -> Frame | None:
        """The next frame to send: one of each request in turn."""
        for _ in range(len(self._turns)):
            id = self._turns.popleft()
            outbox = self._outboxes[id]
            if not outbox.has_unsent:
                self._turns.append(id)
                continue
            frame = outbox.take()
            if outbox.is_over:
                self._end(id)
            else:
                self._turns.append(id)
            return frame
        return None

    def acknowledge(self, id: str, seq: int) -> Refusal | None:
        """The client has a request's frames up to `seq`."""
        outbox = self._outboxes.get(id)
        if outbox is None:
            return self.stray(id)
        refusal = outbox.acknowledge(seq)
        if outbox.is_over:
            self.drop(id)
        return refusal

    def lose(self) -> tuple[str, ...]:
        """The connection is lost; give the requests that end with it."""
        lost = tuple(id for id, outbox in self._outboxes.items() if not outbox.is_resumable)
        for id in lost:
            self.drop(id)
        return lost

    def resume(self, received: Mapping[str, int]) -> Resumed:
        """A new connection takes the session over; its client has so much of each request."""
        unknown = tuple(id for id in received if id not in self._outboxes)
        unwanted = tuple(id for id in self._outboxes if id not in received)
        refused = []
        for id, outbox in list(self._outboxes.items()):
            if id not in received:
                self.drop(id)
            elif (refusal := outbox.rewind(received[id])) is not None:
                refused.append((id, refusal))
                self.drop(id)
            elif outbox.is_over:
                self.drop(id)
        going_on = tuple(self._outboxes)
        return Resumed(going_on, unknown, tuple(refused), unwanted)

    def drop(self, id: str) -> None:
        """Forget a request and what is owed of it."""
        self._turns.remove(id)
        self._end(id)

    def _end(self, id: str) -> None:
        del self._outboxes[id]
        self._ended.append(id)
