"""What the service refuses before any work is done: bad requests, and too many at once.

Knows no engine and no wire.  `check` is pure; the gate belongs to the event loop's thread.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from tts.config import LimitsConfig
from tts.deadline import Deadline
from tts.errors import BadRequest, Overloaded, TextTooLong, VoiceNotFound
from tts.text.split import speakable
from tts.types import MARK_KINDS, SynthesisRequest, Voice

MIN_SPEED, MAX_SPEED = 0.5, 2.0

NEWEST = 0.2
"""Weight of the newest stream in how long streams stay."""

UNKNOWN_STAY_S = 1.0
"""When to ask again while no stream has ended yet."""

_SAMPLING: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**63 - 1),
    "top_k": (1, 1025),
    "top_p": (0, 1),
    "temperature": (0, 5),
    "repetition_penalty": (0.1, 10),
}
"""Fields of a request that are the voice's own where they are None, and what each may be."""


def check(request: SynthesisRequest, voices: Mapping[str, Voice], max_text_chars: int) -> None:
    """Raise `BadRequest`, `TextTooLong` or `VoiceNotFound` for what cannot be spoken."""
    check_length(len(request.text), max_text_chars)
    check_words(request.text)
    check_manner(request, voices)


def check_length(chars: int, max_text_chars: int) -> None:
    """Raise `TextTooLong` for a text of more characters than are allowed."""
    if chars > max_text_chars:
        raise TextTooLong(
            f"text has {chars} characters; at most {max_text_chars} are allowed"
        ).about("text")


def check_words(text: str) -> None:
    """Raise `BadRequest` for a whole text in which there is nothing to say."""
    if not speakable(text):
        raise BadRequest(f"text = {_short(text)}: it needs at least one letter or digit").about(
            "text"
        )


def check_manner(request: SynthesisRequest, voices: Mapping[str, Voice]) -> None:
    """Raise `BadRequest` or `VoiceNotFound` for how a text is to be spoken, whatever it is."""
    if not MIN_SPEED <= request.speed <= MAX_SPEED:
        raise BadRequest(
            f"speed = {request.speed!r}: allowed are {MIN_SPEED} to {MAX_SPEED}"
        ).about("speed")
    if request.voice not in voices:
        listed = sorted(voice.id for voice in voices.values() if voice.is_listed)
        raise VoiceNotFound(
            f"voice = {_short(request.voice)}: there are {', '.join(listed)}"
        ).about("voice")
    voice = voices[request.voice]
    if request.language not in voice.languages:
        raise BadRequest(
            f"language = {_short(request.language)}: voice {voice.id!r} speaks "
            f"{', '.join(voice.languages)}"
        ).about("language")
    if request.emotion and request.emotion not in voice.emotions:
        raise BadRequest(
            f"emotion = {_short(request.emotion)}: voice {voice.id!r} has "
            f"{', '.join(voice.emotions) or 'none to choose'}"
        ).about("emotion")
    for kind in request.marks:
        if kind not in MARK_KINDS:
            raise BadRequest(f"marks = {_short(kind)}: there are {', '.join(MARK_KINDS)}").about(
                "marks"
            )
    for field, (lowest, highest) in _SAMPLING.items():
        value = getattr(request, field)
        if value is not None and not lowest <= value <= highest:
            raise BadRequest(f"{field} = {value!r}: allowed are {lowest} to {highest}").about(field)


class Gate:
    """Counts streams in and out: so many at once, so many waiting, for so long."""

    def __init__(self, limits: LimitsConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._free = asyncio.Semaphore(limits.max_streams)
        self._waiting = 0
        self._active = 0
        self.quiet = asyncio.Event()
        """Set while no stream is inside."""
        self.busy = asyncio.Event()
        """Set while one is."""
        self.quiet.set()
        # How long a stream stays, the latest ones counting most; None before the first has ended.
        self._stay_s: float | None = None

    @property
    def active(self) -> int:
        """Streams inside."""
        return self._active

    @property
    def waiting(self) -> int:
        """Requests that wait for a free stream."""
        return self._waiting

    def frees_s(self) -> float:
        """When one more request than now wait would get a stream, in seconds, if the streams inside
        stay as long as those before."""
        if self._stay_s is None:
            return UNKNOWN_STAY_S
        return self._stay_s * (self._waiting + 1) / self._limits.max_streams

    @asynccontextmanager
    async def stream(self, deadline: Deadline) -> AsyncIterator[None]:
        """Hold one stream.  Raises `Overloaded`, and `DeadlineExceeded` for one that comes too
        late; cancelling while waiting loses nothing."""
        await self._enter(deadline)
        self._count(1)
        came_s = self._clock()
        try:
            yield
        finally:
            self._count(-1)
            self._stayed(self._clock() - came_s)
            self._free.release()

    async def _enter(self, deadline: Deadline) -> None:
        limits = self._limits
        # First come, first served; beyond the bound a request is refused at once.
        if self._free.locked() and self._waiting >= limits.max_queued:
            raise Overloaded(
                f"{limits.max_streams} streams are running and {self._waiting} waiting, "
                "which is the limit",
                retry_after_s=self.frees_s(),
            )
        self._waiting += 1
        try:
            async with deadline.kept(), asyncio.timeout(limits.max_wait_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise Overloaded(
                f"no stream became free in {limits.max_wait_s} s; {limits.max_streams} are "
                "running, which is the limit",
                retry_after_s=self.frees_s(),
            ) from error
        finally:
            self._waiting -= 1

    def _count(self, more: int) -> None:
        self._active += more
        now, then = (self.busy, self.quiet) if self._active else (self.quiet, self.busy)
        then.clear()
        now.set()

    def _stayed(self, seconds: float) -> None:
        before_s = seconds if self._stay_s is None else self._stay_s
        self._stay_s = before_s + NEWEST * (seconds - before_s)


def _short(value: str) -> str:
    """A foreign value in a message, at most one line of it."""
    return repr(value if len(value) <= 40 else value[:40] + "…")
