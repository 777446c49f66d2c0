"""One thread that owns one engine and speaks many requests in turns.

In: requests, from the event loop's thread.  Out: pieces, on the same loop.  Steps of different
requests interleave: a request without audio yet goes first (in order of arrival), the others
take turns, and one whose unread audio is longer than `ahead_s` rests until it is read.  Knows
nothing of limits, chunks or wires.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator

from loguru import logger

from tts.engine.types import Engine, Piece
from tts.errors import EngineFailed, TtsError
from tts.types import SynthesisRequest, Voice


class EngineWorker:
    """The owner thread.  All methods are called from the thread of the loop that started it."""

    def __init__(self, name: str, build: Callable[[], Engine], *, ahead_s: float) -> None:
        self._name = name
        self._build = build
        self._ahead_s = ahead_s
        self._voices: dict[str, Voice] = {}
        self._gains_db: dict[str, float] = {}
        # Speeches waiting for a step, guarded by the condition; bounded by the service's
        # stream limit.
        self._waiting: deque[Speech] = deque()
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
        engine = await built
        self._voices = {voice.id: voice for voice in engine.voices}
        self._gains_db = {voice.id: engine.gain_db(voice.id) for voice in engine.voices}

    async def stop(self) -> None:
        """Drop all work, close the engine and end the thread.  Idempotent."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def speak(self, request: SynthesisRequest) -> "Speech":
        """Begin a request; it must be one for a voice of this engine."""
        speech = Speech(request, self._voices[request.voice].sample_rate_hz, self)
        with self._wake:
            if self._stopping:
                raise EngineFailed(f"engine {self._name} has stopped")
            self._waiting.append(speech)
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
                item = speech.step(engine)
                with self._wake:
                    if isinstance(item, Piece):
                        speech.ahead_samples += len(item.samples)
                        speech.begun = True
                        if not item.is_last:
                            self._waiting.append(speech)
                _call_soon(loop, speech.deliver, item)
        finally:
            with self._wake:
                left = list(self._waiting)
                self._waiting.clear()
            for speech in left:
                speech.drop()
                _call_soon(loop, speech.deliver, EngineFailed(f"engine {self._name} has stopped"))
            engine.close()

    def _next(self) -> "Speech | None":
        """Wait for the speech to step next, out of the queue; None when stopping."""
        while True:
            with self._wake:
                dropped = [speech for speech in self._waiting if speech.cancelled]
                for speech in dropped:
                    self._waiting.remove(speech)
                chosen = None if self._stopping else self._choose()
                if chosen is not None:
                    self._waiting.remove(chosen)
                elif not dropped and not self._stopping:
                    self._wake.wait()
                    continue
            for speech in dropped:
                speech.drop()
            if chosen is not None or self._stopping:
                return chosen

    def _choose(self) -> "Speech | None":
        for speech in self._waiting:
            if not speech.begun:
                return speech
        for speech in self._waiting:
            if speech.ahead_samples <= self._ahead_s * speech.sample_rate_hz:
                return speech
        return None

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

    def __init__(self, request: SynthesisRequest, sample_rate_hz: int, worker: EngineWorker):
        self._request = request
        self._worker = worker
        self._steps: Iterator[Piece] | None = None
        # Bounded by the worker: it takes no further step while `ahead_samples` is above the bound.
        self._items: asyncio.Queue[Piece | TtsError] = asyncio.Queue()
        self._ended = False
        self.sample_rate_hz = sample_rate_hz
        self.ahead_samples = 0
        self.begun = False
        self.cancelled = False

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

    def step(self, engine: Engine) -> Piece | TtsError:
        """Do one step of the engine's work."""
        try:
            if self._steps is None:
                self._steps = engine.speak(self._request)
            piece = next(self._steps, None)
        except TtsError as error:
            return error
        except Exception as error:
            return EngineFailed(f"engine {engine.name} failed: {type(error).__name__}: {error}")
        if piece is None:
            return EngineFailed(f"engine {engine.name} ended without a last piece")
        if piece.is_last:
            self.drop()
        return piece

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
