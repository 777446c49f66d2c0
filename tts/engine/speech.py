"""One request between the thread that works on it and the reader of its audio.

In: steps, taken on the engine's thread.  Out: pieces, on the event loop's.  `Speech` is what the
reader holds, and the `Pace` that the engine is given.  Knows nothing of turns: its worker does.
"""

import asyncio
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from loguru import logger

from tts.engine.scheduler import Job
from tts.engine.spending import Spending
from tts.engine.types import Engine, Kind, Piece, Step
from tts.errors import EngineFailed, TtsError
from tts.text.feed import TextFeed
from tts.types import SynthesisRequest

if TYPE_CHECKING:
    from tts.engine.worker import EngineWorker


class Speech:
    """One request's pieces, as an asynchronous iterator for one reader.

    `step` and `drop` belong to the worker's thread, `begin`, `deliver` and the iterator to the
    loop's; the plain attributes, and what reads or writes them, are guarded by the worker's
    condition.
    """

    def __init__(
        self,
        request: SynthesisRequest,
        text: TextFeed,
        job: Job,
        worker: "EngineWorker",
        *,
        sample_rate_hz: int,
    ) -> None:
        self._request = request
        self._text = text
        self._worker = worker
        self._steps: Iterator[Step] | None = None
        # Bounded by the worker: a request with more unread audio than the bound has no turn.
        self._items: asyncio.Queue[Piece | TtsError] = asyncio.Queue()
        self._ended = False
        self.sample_rate_hz = sample_rate_hz
        self.job = job
        self.spending = Spending()
        self.made_samples = 0
        self.read_samples = 0
        self.cancelled_s: float | None = None
        self.waits_from_s: float | None = None
        """Since when it has waited for a future."""
        self.waited = False
        """Whether it waited for a future since its last piece."""
        self.underruns = 0
        self.steps_after_cancel = 0
        self.settled = False
        """Whether its engine time was counted."""

    @property
    def unread_s(self) -> float:
        """Seconds of its audio that are there and were not read."""
        return (self.made_samples - self.read_samples) / self.sample_rate_hz

    def spend(self, seconds: float, began_s: float) -> None:
        """The engine worked on it, from `began_s` on."""
        self.spending.spend(seconds)
        if self.cancelled_s is not None and self.cancelled_s < began_s:
            self.steps_after_cancel += 1

    def gave(self, samples: int, now_s: float) -> None:
        """Its engine gave a piece; its job has not been told yet."""
        job = self.job
        if job.played and job.dry_s is not None and job.dry_s < now_s and not self.waited:
            self.underruns += 1
        self.waited = False
        self.made_samples += samples
        self.spending.gave(samples / self.sample_rate_hz)

    def waste_s(self) -> float:
        """Engine time that went into audio that was not read, or was cancelled before it can have
        been played."""
        taken_s = self.read_samples / self.sample_rate_hz
        if self.cancelled_s is not None and self.job.played and self.job.dry_s is not None:
            unplayed_s = max(self.job.dry_s - self.cancelled_s, 0.0)
            taken_s = min(taken_s, self.made_samples / self.sample_rate_hz - unplayed_s)
        return self.spending.wasted_s(max(taken_s, 0.0))

    def __aiter__(self) -> "Speech":
        return self

    async def __anext__(self) -> Piece:
        """The next piece; ends after the last one.  Cancelling loses nothing.

        Raises `EngineFailed` when the engine does.
        """
        if self._ended:
            raise StopAsyncIteration
        item = await self._items.get()
        if isinstance(item, TtsError):
            self._ended = True
            raise item
        self._ended = item.is_last
        self._worker.read(self, len(item.samples))
        return item

    async def aclose(self) -> None:
        """Drop the rest of the work; at most the step under way is finished.  Idempotent."""
        self._ended = True
        self._worker.cancel(self)

    def ahead_s(self) -> float | None:
        """See `tts.engine.types.Pace`."""
        return self._worker.ahead_s(self)

    def cost_s(self, kind: Kind, size: int) -> float:
        """See `tts.engine.types.Pace`."""
        return self._worker.cost_s(kind, size)

    def spent_s(self) -> float:
        """Engine time that was spent on it, up to the last step that ended."""
        return self.spending.spent_s

    def wasted_s(self) -> float:
        """Of that, what was for nothing; see `waste_s`.  On the loop's thread."""
        return self._worker.wasted_s(self)

    def begin(self, engine: Engine) -> None:
        """Take it on: it speaks in its voice as that is now."""
        self._steps = engine.speak(self._request, self._text, self)

    def step(self, failed: Exception | None = None) -> Step | TtsError:
        """Take one step; `failed` is what its work raised, and is raised where it was given."""
        try:
            assert self._steps is not None
            item = next(self._steps) if failed is None else _throw(self._steps, failed)
        except StopIteration:
            return EngineFailed(f"engine {self._worker.name} ended without a last piece")
        except TtsError as error:
            return error
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            return EngineFailed(f"engine {self._worker.name} failed: {reason}")
        if isinstance(item, Piece) and item.is_last:
            self.drop()
        return item

    def drop(self) -> None:
        """Close the engine's iterator."""
        close: Callable[[], None] | None = getattr(self._steps, "close", None)
        self._steps = None
        if close is None:
            return
        try:
            close()
        except Exception as error:
            # The request is over either way, and the thread serves the others.
            logger.bind(error=f"{type(error).__name__}: {error}").warning("engine failed to stop")

    def deliver(self, item: Piece | TtsError) -> None:
        """Hand an item to the reader."""
        self._items.put_nowait(item)


def _throw(steps: Iterator[Step], error: Exception) -> Step:
    if isinstance(steps, Generator):
        step: Step = steps.throw(error)
        return step
    raise error
