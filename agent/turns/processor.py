"""The ears: caller audio in, the caller's turns out.

A thin shell around `TurnTaker`: it keeps the audio, runs voice activity detection frame by
frame, has transcripts and turn scores made off the loop, and carries out what the taker decides.
Down: pipecat's speaking and transcription frames, `InterruptionFrame`, and `agent.frames`.
Runs on the event loop's thread only.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InputTransportMessageFrame,
    InterimTranscriptionFrame,
    StartFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.time import time_now_iso8601

from agent.config import TurnsConfig
from agent.events import EventLog
from agent.frames import (
    AgentBusyFrame,
    DraftDroppedFrame,
    DraftFrame,
    MurmurFrame,
    NudgeFrame,
    TurnDroppedFrame,
    TurnTiming,
    UserTurnFrame,
)
from agent.metrics import Metrics
from agent.rtvi import read_talk_key
from agent.stt.types import SpeechToText, SttFailed
from agent.turns.endpointing import Floor, TurnTaker
from agent.turns.events import (
    Action,
    AgentBusy,
    BeginTurn,
    CutPrefix,
    Discard,
    DropTurn,
    Duck,
    EndTurn,
    Event,
    Heartbeat,
    Hold,
    Interrupt,
    Judge,
    MaySpeculate,
    Murmur,
    PrefixReady,
    Rescore,
    Restore,
    Speculate,
    SpeechStarted,
    SpeechStopped,
    TalkKey,
    TranscribePartial,
    TranscriptReady,
    TurnScored,
    WordsHeard,
)
from agent.turns.memory import AudioMemory, quietest_s
from agent.turns.reading import Reading, read
from agent.turns.record import Recorder
from agent.turns.silence import SilenceWatch, asks_for_time
from agent.turns.timeline import Picture
from transports.base import PlaybackClock

LEAD_S = 0.25
"""Audio before the detected onset that belongs to the turn: soft consonants start unvoiced."""
CUT_WITHIN_S = 3.0
"""A long turn is cut at the quietest moment of its newest seconds, between two words."""
PARTIAL_SHARE = 0.25
"""Of the time, no more goes into partials: on a slow machine they would slow the final down."""


class VoiceDetector(Protocol):
    """Voice activity of one call: see `agent.turns.vad`."""

    def process(self, pcm: NDArray[np.int16]) -> Sequence[SpeechStarted | SpeechStopped]:
        """Take 20 ms of 16 kHz audio [320]."""

    @property
    def last_voice_s(self) -> float:
        """Ear time at which voice was last heard."""

    @property
    def run_s(self) -> float:
        """How long what sounds like voice has lasted without a break, believed or not."""

    @property
    def level_dbfs(self) -> float:
        """Loudness (RMS) of the newest frame; -90 for silence."""


class TurnScorer(Protocol):
    """How complete a turn sounds: see `agent.turns.turn_model`."""

    async def probability(self, audio: NDArray[np.float32]) -> float:
        """Probability that the turn ending `audio` [N, 16 kHz] is complete."""


class Ears(FrameProcessor):
    """Listens to one caller."""

    def __init__(
        self,
        *,
        config: TurnsConfig,
        taker: TurnTaker,
        voice: VoiceDetector,
        playback: PlaybackClock,
        stt: SpeechToText,
        scorer: TurnScorer,
        language: str,
        log: EventLog,
        record: Recorder,
        metrics: Metrics,
        on_audio: Callable[[bytes], None] | None = None,
        may_speculate: Callable[[], bool] = lambda: True,
        said: Callable[[], str] = lambda: "",
        show: Callable[[Picture], Awaitable[None]],
    ) -> None:
        """`on_audio` is shown every frame of the caller, 16 kHz mono s16le.

        `may_speculate` tells whether there is room for answers that may not be needed; `said`,
        what the agent said last; `show` is given the picture of each turn.
        """
        super().__init__(name="ears")
        self._on_audio = on_audio
        self._may_speculate = may_speculate
        self._said = said
        self._show = show
        self._speculates = True  # what the taker was told
        self._taker = taker
        self._voice = voice
        self._playback = playback
        self._duck_db = config.barge_in.duck_db
        self._stt = stt
        self._scorer = scorer
        self._language = language
        self._log = log
        self._record = record
        self._counts = metrics
        self._memory = AudioMemory(config.max_turn_s + 10)
        self._silence = SilenceWatch(config)
        self._agent_busy = False
        self._turn_from_s = 0.0
        self._stt_failed = False
        self._judging: list[asyncio.Task[None]] = []
        self._partial: asyncio.Task[None] | None = None
        self._partial_from_s = 0.0  # no partial before this ear time
        self._prefixes: set[asyncio.Task[None]] = set()
        # One consumer acts on events in order, so an action is never cut off half-way by the
        # event after it. Unbounded: one event a frame, each consumed within the frame. With each
        # the ear time at which it came: what is decided must not depend on when it is its turn.
        self._events: asyncio.Queue[tuple[float, Event]] = asyncio.Queue()
        self._consumer: asyncio.Task[None] | None = None

    @property
    def received_samples(self) -> int:
        """The ear's clock, in samples at 16 kHz."""
        return self._memory.total_samples

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Hear audio; learn whether the agent is busy; pass the rest on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            if self._on_audio:
                self._on_audio(frame.audio)
            await self._hear(np.frombuffer(frame.audio, dtype=np.int16))
        elif isinstance(frame, AgentBusyFrame):
            self._agent_busy = frame.busy
            self._observe(AgentBusy(frame.busy))
        else:
            if isinstance(frame, InputTransportMessageFrame):
                pressed = read_talk_key(frame.message)
                if pressed is not None:
                    self._observe(TalkKey(pressed))
            if isinstance(frame, StartFrame):
                self._consumer = self.create_task(self._take_turns(), "turns")
            await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """End what is still being transcribed."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        own = [task for task in (self._consumer, self._partial) if task]
        for task in (*own, *self._judging, *self._prefixes):
            if not task.done():
                await self.cancel_task(task)
        self._record.close()

    async def _hear(self, pcm: NDArray[np.int16]) -> None:
        self._memory.append(pcm)
        for event in self._voice.process(pcm):
            self._observe(event)
        self._observe(
            Heartbeat(
                self._voice.last_voice_s,
                self._voice.run_s,
                self._voice.level_dbfs,
                self._playback.level_dbfs,
            )
        )
        self._watch_budget()
        await self._watch_silence()

    def _watch_budget(self) -> None:
        allowed = self._may_speculate()
        if allowed is not self._speculates:
            self._speculates = allowed
            self._observe(MaySpeculate(allowed))

    async def _watch_silence(self) -> None:
        watch, now_s = self._silence, self._memory.now_s
        silent_s, held, unanswered = now_s - watch.since_s, watch.holding, watch.unanswered
        quiet = self._taker.floor is Floor.QUIET and not self._agent_busy
        nudge = watch.step(now_s, quiet=quiet)
        if nudge:
            self._log.event(
                "nudge", kind=nudge, silent_s=round(silent_s, 3), held=held, unanswered=unanswered
            )
            await self.push_frame(NudgeFrame(nudge=nudge))

    def _observe(self, event: Event) -> None:
        self._events.put_nowait((self._memory.now_s, event))

    async def _take_turns(self) -> None:
        while True:
            now_s, observed = await self._events.get()
            event = self._record.observed(observed, now_s)
            if isinstance(event, SpeechStarted):
                await self._forget_judgement()
            for action in self._taker.step(event, now_s):
                self._record.decided(action, now_s)
                await self._act(action)
            for picture in self._record.take_pictures():
                await self._show(picture)

    async def _act(self, action: Action) -> None:
        match action:
            case BeginTurn(from_s):
                self._turn_from_s, self._stt_failed = from_s - LEAD_S, False
                await self.push_frame(UserStartedSpeakingFrame())
            case TranscribePartial():
                self._start_partial()
            case Judge(pause):
                self._start_judging(pause)
            case Rescore(pause):
                self._judging.append(self._start_scoring(pause, self._turn_audio()))
            case CutPrefix():
                self._start_prefix()
            # These three at once: the loudspeaker is fed by the next frame.
            case Duck():
                self._playback.duck(self._duck_db)
            case Hold():
                self._playback.hold()
            case Restore():
                self._playback.restore()
            case Interrupt():
                self._counts.barge_in()
                await self.broadcast_interruption()  # type: ignore[no-untyped-call]
            case Speculate(draft, text):
                await self.push_frame(DraftFrame(draft=draft, text=text))
            case Discard(draft, reason):
                await self.push_frame(DraftDroppedFrame(draft=draft, reason=reason))
            case EndTurn():
                await self._end_turn(action)
            case Murmur():
                await self.push_frame(MurmurFrame())
            case DropTurn(reason, interrupted):
                await self._drop_turn(reason, interrupted)

    async def _end_turn(self, turn: EndTurn) -> None:
        now_s, ear_s = asyncio.get_running_loop().time(), self._memory.now_s
        silence_s, waited_s = ear_s - turn.stopped_s, turn.waited_for_words_s
        reading = self._read(turn.text)
        wants = self._silence.caller_spoke(ear_s, asks_for_time=asks_for_time(reading))
        await self.push_frame(
            TranscriptionFrame(turn.text, "caller", time_now_iso8601(), finalized=True)
        )
        await self.push_frame(UserStoppedSpeakingFrame())
        timing = TurnTiming(now_s - silence_s, now_s, waited_s)
        await self.push_frame(
            UserTurnFrame(text=turn.text, timing=timing, draft=turn.draft, wants=wants)
        )

    async def _drop_turn(self, reason: str, interrupted: bool) -> None:
        reason = "stt failed" if self._stt_failed else reason
        await self._forget_judgement()
        await self.push_frame(UserStoppedSpeakingFrame())
        await self.push_frame(TurnDroppedFrame(reason=reason, interrupted=interrupted))

    async def _forget_judgement(self) -> None:
        tasks, self._judging = self._judging, []
        for task in tasks:
            if not task.done():
                await self.cancel_task(task)

    def _start_judging(self, pause: int) -> None:
        audio = self._turn_audio()
        self._judging = [
            self.create_task(self._transcribe(pause, audio), f"transcribe-{pause}"),
            self._start_scoring(pause, audio),
        ]

    def _start_scoring(self, pause: int, audio: NDArray[np.float32]) -> asyncio.Task[None]:
        return self.create_task(self._score(pause, audio), f"score-{pause}")

    def _turn_audio(self) -> NDArray[np.float32]:
        return self._memory.between(self._turn_from_s, self._memory.now_s)

    def _read(self, text: str) -> Reading:
        return read(text, self._language, said=self._said())

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
            self._stt_failed, text = True, ""
            self._log.event("stt_failed", error=str(error))
            self._counts.error("stt")
        self._counts.stage("stt", asyncio.get_running_loop().time() - began_s)
        self._observe(TranscriptReady(pause, text, self._read(text)))

    async def _score(self, pause: int, audio: NDArray[np.float32]) -> None:
        probability: float | None
        silence_s = self._memory.now_s - self._voice.last_voice_s
        try:
            probability = await self._scorer.probability(audio)
        except RuntimeError as error:
            probability = None
            self._log.event("turn_model_failed", error=str(error))
            self._counts.error("stt")
        self._observe(TurnScored(pause, probability, silence_s))

    def _start_partial(self) -> None:
        idle = self._partial is None or self._partial.done()
        if idle and self._memory.now_s >= self._partial_from_s:
            self._partial = self.create_task(self._hear_partial(self._turn_audio()), "partial")

    async def _hear_partial(self, audio: NDArray[np.float32]) -> None:
        turn_from_s = self._turn_from_s
        try:
            transcript = await self._stt.transcribe(audio, language=self._language, final=False)
        except SttFailed:
            return  # the final transcript reports it
        pause_s = transcript.compute_s * (1 / PARTIAL_SHARE - 1)
        self._partial_from_s = self._memory.now_s + pause_s
        of_this_turn = turn_from_s == self._turn_from_s and self._taker.floor is not Floor.QUIET
        if transcript.text and of_this_turn:
            self._observe(WordsHeard(transcript.text, self._read(transcript.text)))
            frame = InterimTranscriptionFrame(transcript.text, "caller", time_now_iso8601())
            await self.push_frame(frame)

    def _start_prefix(self) -> None:
        now_s = self._memory.now_s
        recent = self._memory.between(now_s - CUT_WITHIN_S, now_s)
        cut_s = now_s - CUT_WITHIN_S + quietest_s(recent)
        audio = self._memory.between(self._turn_from_s, cut_s)
        self._turn_from_s = cut_s
        task = self.create_task(self._transcribe_prefix(audio), "prefix")
        self._prefixes.add(task)
        task.add_done_callback(self._prefixes.discard)

    async def _transcribe_prefix(self, audio: NDArray[np.float32]) -> None:
        try:
            transcript = await self._stt.transcribe(audio, language=self._language, final=True)
            text = transcript.text
        except SttFailed as error:
            self._log.event("stt_failed", error=str(error))
            self._counts.error("stt")
            text = ""
        self._observe(PrefixReady(text))
