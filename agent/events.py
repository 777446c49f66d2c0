"""The event log of a call: one JSON-lines file, every decision with its time.

In: `event(name, **fields)` from the loop's thread.  Out: lines {"t": seconds since the call
began, "event": name, ...}, written by the `FileWriter`'s thread.  Knows nothing of what the
events mean.  Speech stays out of the file unless the operator asks for it: a string is written
only under a key that is known to hold no speech, any other string becomes its length.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TextIO

from agent.writer import FileWriter

Field = str | int | float | bool | None | list[str] | list[float]

PLAIN_FIELDS = frozenset(
    {
        "action",
        "call",
        "code",
        "finish_reason",
        "id",
        "kind",
        "language",
        "model",
        "part",
        "persona",
        "persona.false_interruption",
        "persona.interruption",
        "reading_slot",
        "reason",
        "role",
        "stage",
        "state",
        "time",
        "tool",
        "transport",
        "voice",
        "window",
    }
)
"""Keys whose strings are identifiers of ours, never anything that was said."""


class EventLog(Protocol):
    """Where the parts of a call report what they decide."""

    def event(self, name: str, **fields: Field) -> None:
        """Note that something happened now.  Never blocks, never raises."""


class NoLog:
    """An event log that keeps nothing."""

    def event(self, name: str, **fields: Field) -> None:
        """Forget it."""

    async def close(self) -> None:
        """Nothing to write."""


class CallLog:
    """The event log of one call in a file.  Used from the loop's thread only."""

    def __init__(
        self,
        path: Path,
        writer: FileWriter,
        *,
        log_text: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds; its value now is the call's zero.  The file's folder is made."""
        self._writer = writer
        self._log_text = log_text
        self._clock = clock
        self._zero_s = clock()
        self._dropped = 0
        self._closed = False
        self._file = _LineFile(path)
        self.event("log_opened", time=datetime.now(UTC).isoformat(timespec="milliseconds"))

    def event(self, name: str, **fields: Field) -> None:
        """Note that something happened now.  Never blocks, never raises.

        When the writer is too far behind the event is dropped, and the next one that gets through
        says how many were.
        """
        if self._closed:
            return
        entry: dict[str, object] = {"t": round(self._clock() - self._zero_s, 4), "event": name}
        if self._dropped:
            entry["dropped_before"] = self._dropped
        for key, value in fields.items():
            entry.update(shown(key, value, log_text=self._log_text))
        if self._writer.post(lambda: self._file.write(entry)):
            self._dropped = 0
        else:
            self._dropped += 1

    async def close(self) -> None:
        """Write what is waiting and close the file.  Idempotent."""
        if not self._closed:
            self.event("log_closed")
            self._closed = True
            await self._writer.finish(self._file.close)


def shown(key: str, value: Field, *, log_text: bool) -> dict[str, object]:
    """Return what is written of a field."""
    if log_text or key in PLAIN_FIELDS:
        return {key: value}
    if isinstance(value, str):
        return {f"{key}_chars": len(value)}
    if isinstance(value, list) and any(isinstance(item, str) for item in value):
        return {f"{key}_count": len(value)}
    return {key: value}


class _LineFile:
    """The file itself, opened by the writer's thread with the first line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def write(self, entry: dict[str, object]) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a", encoding="utf-8", buffering=1)
        line = json.dumps(entry, ensure_ascii=False, default=str, separators=(",", ":"))
        self._file.write(line + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
