"""One thread that owns one engine and speaks many requests in turns.

In: requests, from the event loop's thread.  Out: pieces, on the same loop.  Whose turn it is says
`tts.engine.scheduler`; this thread reads the clock, runs the works, and takes the requests' steps.
A request whose unread audio is longer than `ahead_s` has no turn until it is read; one that waits
for a future has none until that is done.  Knows nothing of limits, chunks or wires.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from tts.config import SchedulerConfig
from tts.engine.admission import Admission, Admitted, Refused
from tts.engine.scheduler import Job, Scheduler
from tts.engine.speech import Speech
from tts.engine.spending import Ran, Spent
from tts.engine.types import Engine, Kind, Piece, Refreshable, Step, Work
from tts.errors import EngineFailed, TtsError, VoiceNotFound
from tts.text.feed import TextFeed
from tts.types import SynthesisRequest, Voice


class EngineWorker:
    """The owner thread.  All public methods but those for `Speech` are called from the thread of
    the loop that started it."""

    def __init__(
        self,
        name: str,
        build: Callable[[], Engine],
        *,
        ahead_s: float,
        first_packet_ms: float = float("inf"),
        config: SchedulerConfig | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        config = config or SchedulerConfig()
        self._name = name
        self._build = build
        self._ahead_s = ahead_s
        self._clock = clock
        self._engine: Engine | None = None
        self._voices: dict[str, Voice] = {}
        self._gains_db: dict[str, float] = {}
        # Guarded by the condition, as is what they hold.  Bounded by the service's stream limit.
        self._speeches: dict[Job, Speech] = {}
        self._cancelled: list[Speech] = []
        self._scheduler = Scheduler(rest_s=config.rest_s, most_together=config.most_together)
        self._admission = Admission(self._scheduler, first_packet_ms=first_packet_ms)
        self._spent = Spent()
        self._runs = Ran()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The engine's name."""
        return self._name

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The engine's voices; none before `start` returned."""
        return tuple(self._voices.values())

    @property
    def spent(self) -> Spent:
        """What the engine's time was spent on, over all requests that have ended."""
        return self._spent

    @property
    def ran(self) -> Ran:
        """What the engine did since it started."""
        with self._wake:
            return self._runs.now()

    def gain_db(self, voice_id: str) -> float:
        """The engine's gain for one of its voices; 0 for one that went just now."""
        return self._gains_db.get(voice_id, 0.0)

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
        self._engine = await built
        self._take_voices(self._engine)

    async def read_voices(self) -> Callable[[], None]:
        """Have the engine read its voices anew; what is returned makes them its voices, at once.

        Requests accepted before speak in the voices as they were.  Raises what the engine raises.
        """
        engine = self._engine
        if not isinstance(engine, Refreshable):
            return lambda: None
        take = await asyncio.to_thread(engine.read_voices)

        def taken() -> None:
            take()
            self._take_voices(engine)

        return taken

    def _take_voices(self, engine: Engine) -> None:
        self._voices = {voice.id: voice for voice in engine.voices}
        self._gains_db = {voice.id: engine.gain_db(voice.id) for voice in engine.voices}

    async def stop(self) -> None:
        """Drop all work, close the engine and end the thread.  Idempotent."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def admit(self) -> Admitted | Refused:
        """Whether a request that came now would have its first audio in time."""
        with self._wake:
            return self._admission.admit(self._clock())

    def speak(
        self,
        request: SynthesisRequest,
        text: TextFeed | None = None,
        *,
        played: bool = True,
        eager: bool = False,
        admitted: Admitted | None = None,
    ) -> Speech:
        """Begin a request; it must be one for a voice of this engine.

        What is said comes through `text`, which begins with the request's own; without, the
        request's is all of it.  `played`: whether its audio is heard while it is made; `eager`:
        whether it is nevertheless wanted as fast as it can be made.
        `admitted`: what `admit` said of it.
        """
        rests = self._engine is None or self._engine.rests
        job = Job(self._clock(), played=played, eager=eager or not rests)
        job.predicted_s = admitted.predicted_s if admitted else None
        feed = TextFeed.of(request.text) if text is None else text
        voice = self._voices.get(request.voice)
        if voice is None:
            raise VoiceNotFound(f"voice = {request.voice!r} was there until now")
        speech = Speech(request, feed, job, self, sample_rate_hz=voice.sample_rate_hz)
        with self._wake:
            if self._stopping or self._engine is None:
                raise EngineFailed(f"engine {self._name} has stopped")
            speech.begin(self._engine)
            self._speeches[job] = speech
            self._scheduler.add(job)
            self._wake.notify()
        return speech

    # What `Speech` asks of it, on either thread.

    def read(self, speech: Speech, samples: int) -> None:
        """A reader took so many samples."""
        with self._wake:
            speech.read_samples += samples
            speech.job.full = speech.unread_s > self._ahead_s
            self._wake.notify()

    def cancel(self, speech: Speech) -> None:
        """Nobody reads a request any more."""
        with self._wake:
            if speech.job not in self._speeches:
                self._settle(speech)
            elif speech.cancelled_s is None:
                speech.cancelled_s = self._clock()
                self._cancelled.append(speech)
                self._wake.notify()

    def ahead_s(self, speech: Speech) -> float | None:
        """See `tts.engine.types.Pace`."""
        with self._wake:
            return self._scheduler.ahead_s(speech.job, self._clock())

    def cost_s(self, kind: Kind, size: int) -> float:
        """See `tts.engine.types.Pace`."""
        with self._wake:
            return self._scheduler.costs.predict(kind, size)

    def wasted_s(self, speech: Speech) -> float:
        """See `Speech.waste_s`."""
        with self._wake:
            return speech.waste_s()

    # The engine's thread.

    def _run(self, loop: asyncio.AbstractEventLoop, built: "asyncio.Future[Engine]") -> None:
        try:
            engine = self._build()
        except BaseException as error:
            _call_soon(loop, _fail, built, error)
            return
        _call_soon(loop, _succeed, built, engine)
        try:
            while (speeches := self._next()) is not None:
                self._turn(speeches, loop)
        finally:
            with self._wake:
                left = list(self._speeches.values())
                for speech in left:
                    self._forget(speech)
            for speech in left:
                speech.drop()
                _call_soon(loop, speech.deliver, EngineFailed(f"engine {self._name} has stopped"))
            engine.close()

    def _next(self) -> list[Speech] | None:
        """Wait for the speeches whose turn it is; None when stopping."""
        while True:
            with self._wake:
                # One that was cancelled during its last step has ended by itself.
                dropped = [one for one in self._cancelled if one.job in self._speeches]
                self._cancelled = []
                for speech in dropped:
                    self._forget(speech)
                now_s = self._clock()
                chosen = [] if self._stopping or dropped else self._scheduler.choose(now_s)
                if not (chosen or dropped or self._stopping):
                    wake_s = self._scheduler.wake_s()
                    self._wake.wait(None if wake_s is None else max(wake_s - now_s, 0.0))
                    continue
                speeches = [self._speeches[job] for job in chosen]
            for speech in dropped:
                speech.drop()
            if speeches:
                return speeches
            if self._stopping:
                return None

    def _turn(self, speeches: Sequence[Speech], loop: asyncio.AbstractEventLoop) -> None:
        """Run the works of these speeches as one, if they wait for any; then take their steps."""
        failed: Exception | None = None
        works = [speech.job.work for speech in speeches if speech.job.work is not None]
        if works:
            began_s = self._clock()
            try:
                works[0].run(works)
            except Exception as error:
                failed = error
            self._ran(speeches, began_s)
        for speech in speeches:
            raised = failed
            while self._may_step(speech):
                began_s = self._clock()
                item, raised = speech.step(raised), None
                self._stepped(speech, item, began_s)
                if isinstance(item, Piece | TtsError):
                    _call_soon(loop, speech.deliver, item)
                elif isinstance(item, Future):
                    item.add_done_callback(partial(self._future_done, speech))
                # After a piece, an engine that gives works is soon at the next of them.
                if not (isinstance(item, Piece) and speech.job.works and not speech.job.full):
                    break

    def _may_step(self, speech: Speech) -> bool:
        with self._wake:
            return (
                speech.cancelled_s is None and not self._stopping and speech.job in self._speeches
            )

    def _ran(self, speeches: Sequence[Speech], began_s: float) -> None:
        """Account for works that ran as one."""
        with self._wake:
            seconds = self._clock() - began_s
            self._runs.batch([s.job.work for s in speeches if s.job.work is not None], seconds)
            self._scheduler.ran([speech.job for speech in speeches], seconds)
            for speech in speeches:
                speech.spend(seconds / len(speeches), began_s)

    def _stepped(self, speech: Speech, item: Step | TtsError, began_s: float) -> None:
        """Account for a step and what it gave."""
        with self._wake:
            job, now_s = speech.job, self._clock()
            self._runs.step(now_s - began_s)
            self._scheduler.stepped(job, now_s - began_s)
            speech.spend(now_s - began_s, began_s)
            if isinstance(item, Work):
                self._scheduler.gave_work(job, item)
            elif isinstance(item, Future):
                job.waits, speech.waits_from_s, speech.waited = True, now_s, True
            elif isinstance(item, Piece):
                self._gave(speech, item, now_s)
            elif item is None:
                self._scheduler.gave_way(job)
            if isinstance(item, TtsError) or (isinstance(item, Piece) and item.is_last):
                self._forget(speech)

    def _gave(self, speech: Speech, piece: Piece, now_s: float) -> None:
        job, samples = speech.job, len(piece.samples)
        if job.dry_s is None and samples:
            self._admission.came(job, now_s)
        speech.gave(samples, now_s)
        self._scheduler.gave_audio(job, samples / speech.sample_rate_hz, now_s)
        job.full = speech.unread_s > self._ahead_s

    def _forget(self, speech: Speech) -> None:
        """No more work for a speech."""
        del self._speeches[speech.job]
        self._scheduler.remove(speech.job)
        if speech.cancelled_s is not None:
            self._settle(speech)

    def _settle(self, speech: Speech) -> None:
        """Count a speech that has no more work and no more reader."""
        if not speech.settled:
            speech.settled = True
            spent = self._spent
            self._spent = Spent(
                streams=spent.streams + 1,
                spent_s=spent.spent_s + speech.spending.spent_s,
                wasted_s=spent.wasted_s + speech.waste_s(),
                steps_after_cancel=spent.steps_after_cancel + speech.steps_after_cancel,
                underruns=spent.underruns + speech.underruns,
            )

    def _future_done(self, speech: Speech, _: "Future[Any]") -> None:
        with self._wake:
            assert speech.waits_from_s is not None
            speech.job.waits = False
            speech.job.waited_s += self._clock() - speech.waits_from_s
            self._wake.notify()


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
