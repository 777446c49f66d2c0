"""What is made of a turn's audio off the loop: transcripts, partial ones, scores of its sound.

In: the ear's memory of the caller, and the wish of `Ears`.  Out: `TranscriptReady`, `TurnScored`,
`WordsHeard` and `PrefixReady`, told to whom `observe` leads.  Runs on the event loop's thread only.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pipecat.processors.frame_processor import FrameProcessor

from agent.events import EventLog
from agent.metrics import Metrics
from agent.stt.types import SpeechToText, SttFailed
from agent.turns.events import Event, PrefixReady, TranscriptReady, TurnScored, WordsHeard
from agent.turns.memory import AudioMemory, quietest_s
from agent.turns.reading import Reading, read

LEAD_S = 0.25
"""Audio before the detected onset that belongs to the turn: soft consonants start unvoiced."""
CUT_WITHIN_S = 3.0
"""A long turn is cut at the quietest moment of its newest seconds, between two words."""
PARTIAL_SHARE = 0.25
"""Of the time, no more goes into partials: on a slow machine they would slow the final down."""


class TurnScorer(Protocol):
    """How complete a turn sounds: see `agent.turns.turn_model`."""

    async def probability(self, audio: NDArray[np.float32]) -> float:
        """Probability that the turn ending `audio` [N, 16 kHz] is complete."""


class Recognition:
    """The models' work for one caller."""

    def __init__(
        self,
        owner: FrameProcessor,
        *,
        memory: AudioMemory,
        stt: SpeechToText,
        scorer: TurnScorer,
        language: str,
        log: EventLog,
        metrics: Metrics,
        said: Callable[[], str],
        observe: Callable[[Event], None],
    ) -> None:
        """`owner` runs the tasks; `said` tells what the agent said last."""
        self.failed = False
        """Speech recognition failed in this turn."""
        self._owner = owner
        self._memory = memory
        self._stt = stt
        self._scorer = scorer
        self._language = language
        self._log = log
        self._metrics = metrics
        self._said = said
        self._observe = observe
        self._from_s: float | None = None  # where the turn's audio begins
        self._judging: list[asyncio.Task[None]] = []
        self._partial: asyncio.Task[None] | None = None
        self._partial_from_s = 0.0  # no partial before this ear time
        self._prefixes: set[asyncio.Task[None]] = set()

    def begin_turn(self, from_s: float) -> None:
        """A turn began: voice was first heard at ear time `from_s`."""
        self._from_s, self.failed = from_s - LEAD_S, False

    def end_turn(self) -> None:
        """The turn is over: words of it that come later count for nothing."""
        self._from_s = None

    async def close(self) -> None:
        """End what is still being worked on."""
        partial = [self._partial] if self._partial else []
        await self._cancel([*partial, *self._judging, *self._prefixes])

    def read(self, text: str) -> Reading:
        """What words of this caller tell."""
        return read(text, self._language, said=self._said())

    def judge(self, pause: int, silence_s: float) -> None:
        """Have the turn transcribed and scored, up to a pause of `silence_s` so far."""
        transcribing = self._transcribe(pause, self._turn_audio())
        self._judging = [self._owner.create_task(transcribing, f"transcribe-{pause}")]
        self.score(pause, silence_s)

    def score(self, pause: int, silence_s: float) -> None:
        """Have the sound of the turn scored, with the silence at its end."""
        scoring = self._score(pause, self._turn_audio(), silence_s)
        self._judging.append(self._owner.create_task(scoring, f"score-{pause}"))

    async def forget_judgement(self) -> None:
        """The pause is over: what is made of it is of no use."""
        tasks, self._judging = self._judging, []
        await self._cancel(tasks)

    def hear_partial(self) -> None:
        """Have the words so far transcribed, unless that would take too much of the time."""
        idle = self._partial is None or self._partial.done()
        if idle and self._memory.now_s >= self._partial_from_s:
            partial = self._hear_partial(self._turn_audio())
            self._partial = self._owner.create_task(partial, "partial")

    def cut_prefix(self) -> None:
        """Transcribe a long turn up to a quiet moment; the turn's audio begins there anew."""
        assert self._from_s is not None
        now_s = self._memory.now_s
        recent = self._memory.between(now_s - CUT_WITHIN_S, now_s)
        cut_s = now_s - CUT_WITHIN_S + quietest_s(recent)
        audio = self._memory.between(self._from_s, cut_s)
        self._from_s = cut_s
        task = self._owner.create_task(self._transcribe_prefix(audio), "prefix")
        self._prefixes.add(task)
        task.add_done_callback(self._prefixes.discard)

    def _turn_audio(self) -> NDArray[np.float32]:
        assert self._from_s is not None
        return self._memory.between(self._from_s, self._memory.now_s)

    async def _cancel(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            if not task.done():
                await self._owner.cancel_task(task)

    async def _transcribe(self, pause: int, audio: NDArray[np.float32]) -> None:
        began_s = asyncio.get_running_loop().time()
        try:
            transcript = await self._stt.transcribe(audio, language=self._language, final=True)
            text = transcript.text
            self._log.event(
                "transcribed",
                pause=pause,
                audio_s=round(transcript.audio_s, 3),
                compute_s=round(transcript.compute_s, 3),
                window=transcript.window,
            )
        except SttFailed as error:
            self.failed, text = True, ""
            self._note_failure(error)
        self._metrics.stage("stt", asyncio.get_running_loop().time() - began_s)
        self._observe(TranscriptReady(pause, text, self.read(text)))

    async def _score(self, pause: int, audio: NDArray[np.float32], silence_s: float) -> None:
        probability: float | None
        try:
            probability = await self._scorer.probability(audio)
        except RuntimeError as error:
            probability = None
            self._log.event("turn_model_failed", error=str(error))
            self._metrics.error("stt")
        self._observe(TurnScored(pause, probability, silence_s))

    async def _hear_partial(self, audio: NDArray[np.float32]) -> None:
        from_s = self._from_s
        try:
            transcript = await self._stt.transcribe(audio, language=self._language, final=False)
        except SttFailed:
            return  # the final transcript reports it
        pause_s = transcript.compute_s * (1 / PARTIAL_SHARE - 1)
        self._partial_from_s = self._memory.now_s + pause_s
        if transcript.text and from_s == self._from_s:
            self._observe(WordsHeard(transcript.text, self.read(transcript.text)))

    async def _transcribe_prefix(self, audio: NDArray[np.float32]) -> None:
        try:
            transcript = await self._stt.transcribe(audio, language=self._language, final=True)
            text = transcript.text
        except SttFailed as error:
            self._note_failure(error)
            text = ""
        self._observe(PrefixReady(text))

    def _note_failure(self, error: SttFailed) -> None:
        self._log.event("stt_failed", error=str(error))
        self._metrics.error("stt")
