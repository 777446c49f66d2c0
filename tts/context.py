"""Who asks the service for something, and on what terms.

A door makes a `CallContext` of what its wire carries; the service keeps to it.  Plain values, any
thread.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """An owner of a key, and what the key may."""

    name: str = ""
    """Name of the key or the token's subject; empty: whoever may connect."""
    requests_per_minute: int | None = None
    """None: as many as the service can do."""
    max_streams: int | None = None
    """Streams at once; None: as many as the service can do."""
    may_manage: bool = True
    """Whether it may add and delete voices, and choose weights."""


ANYONE = Caller()
"""Where no keys are set up, or on a Unix socket, which only its owner can open."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """Terms of one request."""

    door: str = "local"
    """Which way it came: "local", "grpc", "websocket", "openai", "api_v2", "jobs"."""
    caller: Caller = ANYONE
    timeout_s: float | None = None
    """The caller's own deadline, in seconds from when the service is asked; None: no deadline."""
    traceparent: str = ""
    """The caller's trace, as `tts.tracing.extract` found it; "": none."""
    patient: bool = False
    """Nobody waits for the audio: live callers go first, and no light voice speaks instead."""
    eager: bool = False
    """The audio is taken as fast as it can be made, into a file perhaps: none of it is left unmade
    because what was made lasts a while."""
    keep: bool = True
    """Whether the audio may be asked for again, and is worth a place in the cache."""


LOCAL = CallContext()
