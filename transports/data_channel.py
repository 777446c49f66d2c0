"""What the two sides say to each other beside the voice, as text on a WebRTC data channel.

In: text from the caller.  Out: what it means.  And a bounded outbox for the other direction.
Follows the contract of pipecat's SmallWebRTC clients: "ping" keeps the line alive, objects of
type "signalling" are about the line itself, all other JSON objects are for the agent (RTVI).
Never raises on foreign input; opens nothing; called from the event loop's thread.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loguru import logger

MAX_MESSAGE_CHARS = 65_536
MAX_QUEUED_MESSAGES = 100
MAX_BUFFERED_BYTES = 1_000_000
WARN_EVERY = 100


@dataclass(frozen=True)
class Ping:
    """The caller's page is alive."""


@dataclass(frozen=True)
class PeerLeft:
    """The caller says that it hangs up."""


@dataclass(frozen=True)
class PlayoutDelay:
    """The time the caller's own audio buffers take, as measured there."""

    delay_ms: float


@dataclass(frozen=True)
class AgentMessage:
    """A JSON object for the agent."""

    content: dict[str, Any]


@dataclass(frozen=True)
class Ignored:
    """Nothing to act on; `fault` says what was wrong, None if nothing was."""

    fault: str | None


Inbound = Ping | PeerLeft | PlayoutDelay | AgentMessage | Ignored


def read_message(message: str | bytes) -> Inbound:
    """Tell what a message from the caller means."""
    if not isinstance(message, str):
        return Ignored("it is binary")
    if len(message) > MAX_MESSAGE_CHARS:
        return Ignored(f"it is longer than {MAX_MESSAGE_CHARS} characters")
    if message.startswith("ping"):
        return Ping()
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return Ignored("it is not JSON")
    if not isinstance(content, dict):
        return Ignored("it is not a JSON object")
    if content.get("type") == "signalling":
        return _read_signalling(content.get("message"))
    if content.get("type") == "client-message":
        return _read_client_message(content)
    return AgentMessage(content)


def _read_signalling(message: object) -> Inbound:
    kind = message.get("type") if isinstance(message, dict) else None
    if kind == "peerLeft":
        return PeerLeft()
    if kind == "trackStatus":  # A muted track sends silence; there is nothing to do.
        return Ignored(None)
    return Ignored(f"its signalling type is {kind!r:.80}")


def _read_client_message(content: dict[str, Any]) -> Inbound:
    """Tell RTVI's `{"data": {"t": "playout-delay", "d": {"delay_ms": n}}}` from all others."""
    data = content.get("data")
    if not isinstance(data, dict) or data.get("t") != "playout-delay":
        return AgentMessage(content)
    details = data.get("d")
    delay_ms = details.get("delay_ms") if isinstance(details, dict) else None
    if isinstance(delay_ms, bool) or not isinstance(delay_ms, int | float):
        return Ignored(f"playout-delay needs d.delay_ms, a number, not {delay_ms!r:.80}")
    return PlayoutDelay(float(delay_ms))


class Outbox:
    """Messages to the caller: kept while the channel is closed, then sent at once.

    Bounded both before the channel opens (messages) and after (bytes a caller has not taken); what
    does not fit is dropped and counted, the oldest kept: a client needs the first ones to start.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._queued: deque[str] = deque()
        self._send: Callable[[str], None] | None = None
        self._buffered_bytes: Callable[[], int] = lambda: 0

    def open(self, send: Callable[[str], None], buffered_bytes: Callable[[], int]) -> None:
        """Send from now on with `send`, and first what has queued."""
        self._send = send
        self._buffered_bytes = buffered_bytes
        while self._queued:
            send(self._queued.popleft())

    def close(self) -> None:
        """Queue from now on."""
        self._send = None

    def put(self, message: object) -> None:
        """Send or queue a message as JSON."""
        try:
            text = json.dumps(message)
        except (TypeError, ValueError) as error:
            self._drop(f"it cannot be JSON ({error})")
            return
        if self._send is None:
            if len(self._queued) >= MAX_QUEUED_MESSAGES:
                self._drop("the channel is not open and the queue is full")
            else:
                self._queued.append(text)
        elif self._buffered_bytes() > MAX_BUFFERED_BYTES:
            self._drop("the caller does not read")
        else:
            self._send(text)

    def _drop(self, why: str) -> None:
        self.dropped += 1
        if self.dropped % WARN_EVERY == 1:
            logger.warning("A message to the caller was dropped ({} so far): {}", self.dropped, why)
