"""One thread that owns one engine and speaks many requests in turns.

In: requests, from the event loop's thread.  Out: pieces, on the same loop.  Steps of different
requests interleave: a request without audio yet goes first (in order of arrival), the others
take turns, and one whose unread audio is longer than `ahead_s` rests until it is read.  When a
request without audio gives others a turn, one that has audio takes it, so that long work before a
first piece silences nobody.  A request that waits for a future takes no steps and keeps its place.
Knows nothing of limits, chunks or wires.
"""

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from loguru import logger

from tts.engine.types import Engine, Kind, Piece, Step, Work
from tts.errors import EngineFailed, TtsError
from tts.text.feed import TextFeed
from tts.types import SynthesisRequest, Voice


class EngineWorker:
    """The owner thread.  All methods are called from the thread of the loop that started it."""

    def __init__(self, name: str, build: Callable[[], Engine], *, ahead_s: float) -> None:
        self._name = name
        self._build = build
        self._ahead_s = ahead_s
        self._engine: Engine | None = None
        self._voices: dict[str, Voice] = {}
        self._gains_db: dict[str, float] = {}
        # Requests under way, guarded by the condition: those without audio in order of arrival,
        # those with audio in order of their turns.  Bounded by the service's stream limit.
        self._speeches: list[Speech] = []
        # Whether a request that has audio is due a step.
        self._due = False
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The engine's name."""
        return self._name

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The engine's voices; empty before `start` returned."""
        return tuple(self._voices.values())

    def gain_db(self, voice_id: str) -> float:
        """The engine's gain for one of its voices."""
        return self._gains_db[voice_id]

    def ready(self) -> tuple[str, str] | None:
        """A voice and a language that can be spoken with nothing to load first, if any."""
        return self._engine.ready() if self._engine is not None else None

    async def start(self) -> None:
        """Build the engine on its thread.  Raises whatever building it raises.

        Cancelling leaves the thread to finish building; call `stop` then.
        """
        loop = asyncio.get_running_loop()
        built: asyncio.Future[Engine] = loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(loop, built), name=f"tts-{self._name}", daemon=True
        )
        self._thread.start()
        engine = self._engine = await built
        self._voices = {voice.id: voice for voice in engine.voices}
        self._gains_db = {voice.id: engine.gain_db(voice.id) for voice in engine.voices}

    async def stop(self) -> None:
        """Drop all work, close the engine and end the thread.  Idempotent."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def speak(self, request: SynthesisRequest, text: TextFeed | None = None) -> "Speech":
        """Begin a request; it must be one for a voice of this engine.

        What is said comes through `text`, which begins with the request's own; without, the
        request's is all of it.
        """
        feed = TextFeed.of(request.text) if text is None else text
        speech = Speech(request, feed, self._voices[request.voice].sample_rate_hz, self)
        with self._wake:
            if self._stopping:
                raise EngineFailed(f"engine {self._name} has stopped")
            self._speeches.append(speech)
            self._wake.notify()
        return speech

    def _run(self, loop: asyncio.AbstractEventLoop, built: "asyncio.Future[Engine]") -> None:
        try:
            engine = self._build()
        except BaseException as error:
            _call_soon(loop, _fail, built, error)
            return
        _call_soon(loop, _succeed, built, engine)
        try:
            while (speech := self._next()) is not None:
                self._step(speech, engine, loop)
        finally:
            with self._wake:
                left, self._speeches = self._speeches, []
            for speech in left:
                speech.drop()
                _call_soon(loop, speech.deliver, EngineFailed(f"engine {self._name} has stopped"))
            engine.close()

    def _step(self, speech: "Speech", engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        item = speech.step(engine)
        with self._wake:
            self._due = item is None and not speech.begun
            if isinstance(item, Future):
                speech.waits_for = item
            if isinstance(item, Piece):
                speech.begun = True
                speech.ahead_samples += len(item.samples)
            ended = isinstance(item, TtsError) or (isinstance(item, Piece) and item.is_last)
            if ended or speech.begun:
                self._speeches.remove(speech)
            if speech.begun and not ended:
                self._speeches.append(speech)
        if isinstance(item, Future):
            item.add_done_callback(self._future_done)
        elif item is not None:
            _call_soon(loop, speech.deliver, item)

    def _future_done(self, _: "Future[Any]") -> None:
        with self._wake:
            self._wake.notify()

    def _next(self) -> "Speech | None":
        """Wait for the speech to step next; None when stopping."""
        while True:
            with self._wake:
                dropped = [speech for speech in self._speeches if speech.cancelled]
                for speech in dropped:
                    self._speeches.remove(speech)
                chosen = None if self._stopping else self._choose()
                if chosen is None and not dropped and not self._stopping:
                    self._wake.wait()
                    continue
            for speech in dropped:
                speech.drop()
            if chosen is not None or self._stopping:
                return chosen

    def _choose(self) -> "Speech | None":
        able = [speech for speech in self._speeches if not speech.waiting]
        silent = (speech for speech in able if not speech.begun)
        heard = (
            speech
            for speech in able
            if speech.begun and speech.ahead_samples <= self._ahead_s * speech.sample_rate_hz
        )
        order = (heard, silent) if self._due else (silent, heard)
        return next(itertools.chain(*order), None)

    def _read(self, speech: "Speech", samples: int) -> None:
        with self._wake:
            speech.ahead_samples -= samples
            self._wake.notify()

    def _cancel(self, speech: "Speech") -> None:
        with self._wake:
            speech.cancelled = True
            self._wake.notify()


class Speech:
    """One request's pieces, as an asynchronous iterator for one reader.

    `step` and `drop` belong to the worker's thread, `deliver` and the iterator to the loop's;
    the plain attributes are guarded by the worker's condition.
    """

    def __init__(
        self, request: SynthesisRequest, text: TextFeed, sample_rate_hz: int, worker: EngineWorker
    ) -> None:
        self._request = request
        self._text = text
        self._worker = worker
        self._steps: Iterator[Step] | None = None
        # Bounded by the worker: it takes no further step while `ahead_samples` is above the bound.
        self._items: asyncio.Queue[Piece | TtsError] = asyncio.Queue()
        self._ended = False
        self.sample_rate_hz = sample_rate_hz
        self.ahead_samples = 0
        self.begun = False
        self.cancelled = False
        self.waits_for: Future[Any] | None = None

    @property
    def waiting(self) -> bool:
        """Whether there is nothing to do until a future is done."""
        return self.waits_for is not None and not self.waits_for.done()

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
        self._worker._read(self, len(item.samples))
        return item

    async def aclose(self) -> None:
        """Drop the rest of the work; at most the step under way is finished.  Idempotent."""
        self._ended = True
        self._worker._cancel(self)

    def step(self, engine: Engine) -> Step | TtsError:
        """Do one step of the engine's work."""
        try:
            if self._steps is None:
                self._steps = engine.speak(self._request, self._text, self)
            item = next(self._steps)
            if isinstance(item, Work):
                item.run([item])
                item = None
        except StopIteration:
            return EngineFailed(f"engine {engine.name} ended without a last piece")
        except TtsError as error:
            return error
        except Exception as error:
            return EngineFailed(f"engine {engine.name} failed: {type(error).__name__}: {error}")
        if isinstance(item, Piece) and item.is_last:
            self.drop()
        return item

    def ahead_s(self) -> float | None:
        """See `tts.engine.types.Pace`."""
        return self.ahead_samples / self.sample_rate_hz if self.begun else None

    def cost_s(self, kind: Kind, size: int) -> float:
        """See `tts.engine.types.Pace`."""
        return 0.0

    def drop(self) -> None:
        """Close the engine's iterator."""
        close = getattr(self._steps, "close", None)
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


def _call_soon(loop: asyncio.AbstractEventLoop, func: Callable[..., None], *args: object) -> None:
    try:
        loop.call_soon_threadsafe(func, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise
        # The loop is gone, and every reader with it.


def _succeed(built: "asyncio.Future[Engine]", engine: Engine) -> None:
    if not built.done():
        built.set_result(engine)


def _fail(built: "asyncio.Future[Engine]", error: BaseException) -> None:
    if not built.done():
        built.set_exception(error)
