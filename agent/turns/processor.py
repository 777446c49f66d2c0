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
from agent.stt.types import SpeechToText
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
    Rescore,
    Restore,
    Speculate,
    SpeechStarted,
    SpeechStopped,
    TalkKey,
    TranscribePartial,
    WordsHeard,
)
from agent.turns.memory import AudioMemory
from agent.turns.recognition import Recognition, TurnScorer
from agent.turns.record import Recorder
from agent.turns.silence import SilenceWatch, asks_for_time
from agent.turns.timeline import Picture
from transports.base import PlaybackClock


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
        self._show = show
        self._speculates = True  # what the taker was told
        self._taker = taker
        self._voice = voice
        self._playback = playback
        self._duck_db = config.barge_in.duck_db
        self._log = log
        self._record = record
        self._counts = metrics
        self._memory = AudioMemory(config.max_turn_s + 10)
        self._silence = SilenceWatch(config)
        self._agent_busy = False
        self._recognition = Recognition(
            self,
            memory=self._memory,
            stt=stt,
            scorer=scorer,
            language=language,
            log=log,
            metrics=metrics,
            said=said,
            observe=self._observe,
        )
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
        if self._consumer and not self._consumer.done():
            await self.cancel_task(self._consumer)
        await self._recognition.close()
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

    @property
    def _silence_s(self) -> float:
        return self._memory.now_s - self._voice.last_voice_s

    def _observe(self, event: Event) -> None:
        self._events.put_nowait((self._memory.now_s, event))

    async def _take_turns(self) -> None:
        while True:
            now_s, observed = await self._events.get()
            event = self._record.observed(observed, now_s)
            if isinstance(event, SpeechStarted):
                await self._recognition.forget_judgement()
            elif isinstance(event, WordsHeard) and self._taker.floor is not Floor.QUIET:
                frame = InterimTranscriptionFrame(event.text, "caller", time_now_iso8601())
                await self.push_frame(frame)
            for action in self._taker.step(event, now_s):
                self._record.decided(action, now_s)
                await self._act(action)
            for picture in self._record.take_pictures():
                await self._show(picture)

    async def _act(self, action: Action) -> None:
        match action:
            case BeginTurn(from_s):
                self._recognition.begin_turn(from_s)
                await self.push_frame(UserStartedSpeakingFrame())
            case TranscribePartial():
                self._recognition.hear_partial()
            case Judge(pause):
                self._recognition.judge(pause, self._silence_s)
            case Rescore(pause):
                self._recognition.score(pause, self._silence_s)
            case CutPrefix():
                self._recognition.cut_prefix()
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
        self._recognition.end_turn()
        reading = self._recognition.read(turn.text)
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
        self._recognition.end_turn()
        reason = "stt failed" if self._recognition.failed else reason
        await self._recognition.forget_judgement()
        await self.push_frame(UserStoppedSpeakingFrame())
        await self.push_frame(TurnDroppedFrame(reason=reason, interrupted=interrupted))
