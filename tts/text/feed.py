"""Text on its way to an engine, maybe while it is still being written.

In: text, on the event loop's thread.  Out: what has come so far, on the engine's thread.  Whoever
writes keeps to the bound on a text's length.  Knows nothing of clauses, engines or audio.
"""

import threading
from concurrent.futures import Future
from io import StringIO


class TextFeed:
    """One request's text.  `append` and `end` belong to the writer, the rest to the reader."""

    def __init__(self, text: str = "", *, complete: bool = False) -> None:
        # Appending takes no copy of what is there, however small the pieces.
        self._text = StringIO(newline="\n")
        self._text.write(text)
        self._complete = complete
        self._changed: Future[None] = Future()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, text: str) -> "TextFeed":
        """A text that is complete."""
        return cls(text, complete=True)

    def append(self, text: str) -> None:
        """More of the text.  Raises ValueError after `end`."""
        with self._lock:
            if self._complete:
                raise ValueError("the text has ended")
            self._text.seek(0, 2)
            self._text.write(text)
            changed, self._changed = self._changed, Future()
        changed.set_result(None)

    def end(self) -> None:
        """The text is complete.  Idempotent."""
        with self._lock:
            if self._complete:
                return
            self._complete = True
            changed = self._changed
        changed.set_result(None)

    @property
    def text(self) -> str:
        """The text so far."""
        with self._lock:
            return self._text.getvalue()

    def read(self, start: int = 0) -> tuple[str, bool, "Future[None]"]:
        """The text so far from `start` on, whether it is complete, and a future that is done when
        that changes."""
        with self._lock:
            self._text.seek(start)
            return self._text.read(), self._complete, self._changed
