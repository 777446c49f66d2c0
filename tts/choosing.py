"""Who speaks a request: the engine of its voice, or a light voice instead, or nobody.

In: a request, its caller's terms, and what the engines have to do.  Out: a `Choice`, or the error
that tells why nobody can speak it in time.  On the event loop's thread.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from loguru import logger

from tts.breaker import Attempt, Breaker
from tts.config import BreakerConfig, LimitsConfig
from tts.context import CallContext
from tts.deadline import Deadline
from tts.engine.admission import LOAD, Admitted, Refused
from tts.engine.worker import EngineWorker
from tts.errors import DeadlineExceeded, Overloaded, TtsError, Unavailable
from tts.limits import Gate, check_manner
from tts.roster import Roster
from tts.types import SynthesisRequest, Voice


@dataclass(frozen=True, slots=True)
class Choice:
    """A request as it will be spoken."""

    request: SynthesisRequest
    """Its voice may be another than its caller asked for."""
    voice: Voice
    """As it is now."""
    worker: EngineWorker
    admitted: Admitted | None = None
    """What its engine said of it; None: it was not asked."""


class Choosing:
    """The policy of one service."""

    def __init__(
        self,
        roster: Roster,
        gate: Gate,
        limits: LimitsConfig,
        breaker: BreakerConfig,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._roster = roster
        self._gate = gate
        self._limits = limits
        self._config = breaker
        self._clock = clock
        self._breakers: dict[EngineWorker, Breaker] = {}

    def is_resting(self, worker: EngineWorker) -> bool:
        """Whether an engine has failed too often, and requests are kept from it."""
        return self._breaker(worker).is_open

    def choose(self, request: SynthesisRequest, context: CallContext, deadline: Deadline) -> Choice:
        """Who speaks it.  Raises `Overloaded`, `Unavailable` or `DeadlineExceeded`; also what
        `check_manner` raises, for the voices may have changed while it waited.

        Nothing is held by the answer: it is good until something is awaited.
        """
        check_manner(request, self._roster.voices)
        voice = self._roster.voices[request.voice]
        worker = self._roster.worker(voice.id)
        answer = self._ask(worker, deadline)
        if isinstance(answer, Admitted):
            return Choice(request, voice, worker, answer)
        error = self._error(answer)
        log = logger.bind(voice=voice.id, code=error.code, **_figures(answer))
        if self._limits.overload == "light" and not context.patient:
            for light in self._roster.voices.values():
                other = self._roster.worker(light.id)
                speaks_it = light.is_listed and request.language in light.languages
                if other is worker or not speaks_it:
                    continue
                admitted = self._ask(other, deadline)
                if isinstance(admitted, Admitted):
                    log.bind(instead=light.id).warning("stepped down to a light voice")
                    request = replace(request, voice=light.id, emotion="")
                    return Choice(request, light, other, admitted)
        log.warning("request refused")
        raise error

    @contextmanager
    def attempt(self, choice: Choice) -> Iterator[Attempt]:
        """Speak a choice, begun at once: how it ends is told to its engine's breaker."""
        with Attempt(self._breaker(choice.worker), self._clock) as attempt:
            yield attempt

    def _ask(self, worker: EngineWorker, deadline: Deadline) -> Admitted | Refused | TtsError:
        """Whether an engine can take a request now; else why not."""
        rest_s = self._breaker(worker).check(self._clock())
        if rest_s > 0:
            return Unavailable(
                f"engine {worker.name} failed too often and is given a rest; it may be tried again "
                f"in {rest_s:.1f} s",
                retry_after_s=rest_s,
            )
        answer = worker.admit()
        if isinstance(answer, Admitted):
            try:
                deadline.check(answer.predicted_s)
            except DeadlineExceeded as error:
                return error
        return answer

    def _error(self, answer: Refused | TtsError) -> TtsError:
        """What the caller hears.  It may try again when the first audio would be in time, or, where
        there are too many streams, when one of them is over."""
        if isinstance(answer, TtsError):
            return answer
        late_s = max(answer.predicted_ms - answer.allowed_ms, 0.0) / 1000
        if answer.load > LOAD:
            late_s = max(late_s, self._gate.frees_s())
        return Overloaded(str(answer), retry_after_s=late_s)

    def _breaker(self, worker: EngineWorker) -> Breaker:
        return self._breakers.setdefault(worker, Breaker(self._config))


def _figures(answer: Refused | TtsError) -> dict[str, float]:
    if isinstance(answer, TtsError):
        return {}
    return {"predicted_ms": round(answer.predicted_ms), "load": round(answer.load, 2)}
