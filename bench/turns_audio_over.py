"""Sounds over the agent's voice, on real sound: for `bench.turns_audio`.

In: the models.  Out: for each sound, whether and when the agent was lowered, silent, interrupted.
The agent speaks a synthetic reply through the real `Playback`; what leaves it comes back in the
caller's microphone where there is an echo, lowered and silent as it left.  A call begins with a
turn of the caller, from which their loudness is learnt.  Each call is played once, frame by frame;
nothing is kept.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from agent.config import SttConfig, TurnsConfig, VadConfig
from agent.persona import TurnTemperament
from agent.silero import Silero
from agent.turns.endpointing import TurnTaker
from agent.turns.events import (
    Action,
    AgentBusy,
    BeginTurn,
    Duck,
    EndTurn,
    Event,
    Heartbeat,
    Hold,
    Interrupt,
    Judge,
    Rescore,
    Restore,
    SpeechStarted,
    TranscribePartial,
    TranscriptReady,
    TurnScored,
    WordsHeard,
)
from agent.turns.reading import read
from agent.turns.recognition import LEAD_S, PARTIAL_SHARE
from agent.turns.vad import FRAME_S, FRAME_SAMPLES, VoiceActivity
from bench import stt_data, turns_audio_data
from bench.stt_data import RATE_HZ, Audio
from transports.pacing import Playback
from transports.utterance import RATE_HZ as LINE_HZ

_REPLIES = {
    "en": (
        "Your parcel left our warehouse yesterday evening and should arrive on Thursday. If nobody "
        "is at home, the driver will leave it with a neighbour and put a card in your letter box. "
        "You can also choose another day on our website."
    ),
    "zh": (
        "您的包裹昨天晚上已经从仓库发出，预计星期四送到。如果家里没有人，快递员会放在邻居那里，"
        "并且在信箱里留一张卡片。您也可以在网站上选择别的日期。"
    ),
}
_OPENINGS = {"en": "Where is my parcel, please?", "zh": "请问我的包裹到哪里了？"}
_INTERRUPTIONS = {
    "en": (
        "Wait, wait.", "No, that's the wrong parcel.", "Stop, please.", "Can I change the address?",
        "Hold on a second.", "Sorry, I meant the other order.", "I will not be home on Thursday.",
        "Excuse me, who is the driver?",
    ),
    "zh": ("等一下。", "不对，不是这个包裹。", "停一下。", "我能改地址吗？", "我星期四不在家。"),
}  # fmt: skip
_AGREEMENTS = {
    "en": ("Mm-hmm.", "Uh-huh.", "Yeah.", "Okay.", "Right.", "I see."),
    "zh": ("嗯嗯。", "对。", "好的。", "哦，这样啊。"),
}
_ASIDES = {
    "en": (
        "Could you close the window, it is cold in here.",
        "Dinner will be ready in ten minutes.",
    ),
    "zh": ("你把窗户关一下，有点冷。", "再过十分钟就吃饭了。"),
}
_SPOKEN_PEAK = 0.25
_ECHO_DB = -22.0
_ECHO_DELAY_FRAMES = 7
_QUIET_DBFS = -60.0
_REPLY_AT_S = 0.4
"""After the end of the caller's opening turn."""
_AFTER_S = 3.0


@dataclass(frozen=True, slots=True)
class Over:
    """What one sound did to the agent's voice."""

    kind: str
    text: str
    duck_ms: float | None
    """First voiced sample of the sound to the agent's lowered frame; None if it was not lowered."""
    yield_ms: float | None
    """The same to the first silent frame of what became an interruption; None if none did."""
    interrupted: bool
    held_ms: float
    """Silence of the agent in mid-reply, where it spoke on."""


class Ask(Protocol):
    """Who is asked what was said and how complete it sounded."""

    def text(
        self, name: str, sound: Audio, from_s: float, to_s: float, language: str
    ) -> tuple[str, float]:
        """Words between two times of the clip `name`, and how long that took."""

    def score(self, name: str, sound: Audio, from_s: float, to_s: float) -> tuple[float, float]:
        """Probability that the turn is over with that stretch, and how long that took."""


class AskAll(Ask, Protocol):
    """The models of `bench.turns_audio`."""

    silero: Silero


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    kind: str
    language: str
    text: str = ""
    level_db: float = 0.0
    """Against the caller's own turn."""
    echo: bool = False

    @property
    def at_s(self) -> float:
        """Where in the reply the sound begins."""
        if self.kind == "echo":
            return 2.0
        return float(stt_data.random_of(self.name, "at").uniform(1.5, 5.0))


def over_the_agent(models: AskAll, half: str, *, quick: bool) -> list[Over]:
    """Play every case of the half."""
    languages = ["en", *(["zh"] if not quick and turns_audio_data.speaks("zh") else [])]
    cases = [case for case in _cases(languages) if stt_data.half(case.name) == half]
    return [_Call(case, models).play() for case in (cases[::4] if quick else cases)]


def _cases(languages: Sequence[str]) -> list[_Case]:
    found: list[_Case] = []
    for language in languages:
        for texts, kind, level_db in (
            (_INTERRUPTIONS[language], "interruption", 0.0),
            (_AGREEMENTS[language], "backchannel", -6.0),
            (_ASIDES[language], "side talk", -20.0),
        ):
            for text in texts:
                name = f"{kind}/{text}"
                found.append(_Case(name, kind, language, text, level_db))
                found.append(_Case(name, f"{kind} in echo", language, text, level_db, echo=True))
        found += [_Case(f"cough/{language}/{number}", "cough", language) for number in range(8)]
        found += [
            _Case(f"echo/{language}/{number}", "echo", language, echo=True) for number in range(4)
        ]
    return found


def _sound(case: _Case) -> Audio:
    """What the caller utters over the reply; empty for an echo alone."""
    if case.kind == "cough":
        return _cough(stt_data.random_of(case.name))
    if not case.text:
        return np.zeros(0, np.float32)
    voices = ("hibari:1.1", "flite:rms", "hibari") if case.language == "en" else ("kokoro",)
    voice = voices[len(case.text) % len(voices)]
    if voice.startswith("flite") and not turns_audio_data.speaks("en", voice):
        voice = "hibari"
    sound, _ = turns_audio_data.speak(voice, case.language, (case.text,), seed=1)
    return sound * np.float32(10 ** (case.level_db / 20) * _SPOKEN_PEAK / np.abs(sound).max())


def _cough(random: np.random.Generator) -> Audio:
    """One to three bursts of noise with a sharp onset."""
    bursts = []
    for _ in range(int(random.integers(1, 4))):
        samples = int(random.uniform(0.12, 0.3) * RATE_HZ)
        noise = np.asarray(random.normal(0, 1, samples))
        spectrum = np.fft.rfft(noise)
        hertz = np.fft.rfftfreq(samples, 1 / RATE_HZ)
        spectrum *= np.exp(-(((hertz - random.uniform(700, 1800)) / 1500) ** 2))
        burst = np.fft.irfft(spectrum, samples) * np.exp(-5 * np.arange(samples) / samples)
        bursts += [burst / np.abs(burst).max(), np.zeros(int(random.uniform(0.05, 0.2) * RATE_HZ))]
    return np.asarray(np.concatenate(bursts) * random.uniform(0.1, 0.35), np.float32)


class _Call:
    """One call: the caller's turn, the agent's reply, and the sound over it."""

    def __init__(self, case: _Case, models: AskAll) -> None:
        self._case = case
        self._sound = _sound(case)
        self._models = models
        self._turns = TurnsConfig()
        self._taker = TurnTaker(self._turns, TurnTemperament(), case.language)
        self._voice = VoiceActivity(VadConfig(), models.silero)
        self._playback = Playback(fade_ms=10)
        engine, voice = ("kokoro" if case.language == "zh" else "hibari"), case.language
        reply, self._marks = turns_audio_data.synthesise(engine, voice, _REPLIES[case.language])
        line = np.asarray(soxr.resample(reply, RATE_HZ, LINE_HZ), np.float32)
        self._reply = np.asarray(np.clip(line * 32767, -32768, 32767), np.int16)
        self._caller, self._reply_s = self._laid_out()
        self._heard = np.zeros(len(self._caller), np.float32)
        self._samples = 0
        self._busy = False
        self._stopped = False
        self._turn_from_s = 0.0
        self._partial_from_s = 0.0
        self._due: list[tuple[float, int, Event]] = []
        self._asked = 0
        self._stt_free_s = [0.0] * SttConfig().workers
        self._score_free_s = 0.0
        self._levels: list[float] = []
        self._acts: list[tuple[float, Action]] = []

    @property
    def _now_s(self) -> float:
        return self._samples / RATE_HZ

    def play(self) -> Over:
        """Play it to its end; return what came of the sound."""
        echo = [np.zeros(FRAME_SAMPLES, np.float32)] * _ECHO_DELAY_FRAMES
        gain = np.float32(10 ** (_ECHO_DB / 20)) if self._case.echo else np.float32(0)
        while self._samples + FRAME_SAMPLES <= len(self._caller):
            self._mouth()
            left = self._playback.next_frame().astype(np.float32) / np.float32(32768)
            self._levels.append(self._playback.level_dbfs)
            echo.append(left[::3] * gain)
            first = self._samples
            self._samples += FRAME_SAMPLES
            heard = self._caller[first : self._samples] + echo.pop(0)
            self._heard[first : self._samples] = heard
            self._ear(np.asarray(np.clip(heard * 32767, -32768, 32767), np.int16))
        return self._outcome()

    def _laid_out(self) -> tuple[Audio, float]:
        """The caller's side of the call, and when the reply begins."""
        case = self._case
        voice = "kokoro" if case.language == "zh" else "hibari:1.1"
        opening, _ = turns_audio_data.speak(
            voice, case.language, (_OPENINGS[case.language],), seed=1
        )
        opening = opening * np.float32(_SPOKEN_PEAK / np.abs(opening).max())
        reply_s = 0.6 + len(opening) / RATE_HZ + _REPLY_AT_S
        length_s = reply_s + case.at_s + len(self._sound) / RATE_HZ + _AFTER_S
        caller = np.zeros(int(length_s * RATE_HZ), np.float32)
        random = stt_data.random_of(case.name, "floor")
        caller += random.normal(0, 10 ** (-66 / 20), len(caller)).astype(np.float32)
        for at_s, sound in ((0.6, opening), (reply_s + case.at_s, self._sound)):
            first = int(at_s * RATE_HZ)
            caller[first : first + len(sound)] += sound
        return caller, reply_s

    def _mouth(self) -> None:
        """The reply begins when its time has come."""
        if self._busy or self._stopped or self._now_s < self._reply_s:
            return
        self._busy = True
        self._observe(AgentBusy(True))
        self._playback.begin(1)
        self._playback.boundaries(1, [mark.end_s for mark in self._marks])
        self._playback.write(1, self._reply)
        self._playback.end(1)

    def _ear(self, pcm: NDArray[np.int16]) -> None:
        while self._due and self._due[0][0] <= self._now_s:
            self._observe(heapq.heappop(self._due)[2])
        for change in self._voice.process(pcm):
            self._observe(change)
        voice = self._voice
        beat = Heartbeat(
            voice.last_voice_s, voice.run_s, voice.level_dbfs, self._playback.level_dbfs
        )
        self._observe(beat)

    def _observe(self, event: Event) -> None:
        if isinstance(event, SpeechStarted):
            self._due = [due for due in self._due if isinstance(due[2], WordsHeard)]
            heapq.heapify(self._due)
        for action in self._taker.step(event, self._now_s):
            self._act(action)

    def _act(self, action: Action) -> None:
        match action:
            case BeginTurn(from_s):
                self._turn_from_s = from_s - LEAD_S
            case TranscribePartial():
                self._transcribe_partial()
            case Judge(pause):
                text, ready_s = self._transcribed()
                self._put(ready_s, TranscriptReady(pause, text, self._read(text)))
                self._score(pause)
            case Rescore(pause):
                self._score(pause)
            case Duck():
                self._note(action)
                self._playback.duck(self._turns.barge_in.duck_db)
            case Hold():
                self._note(action)
                self._playback.hold()
            case Restore():
                self._note(action)
                self._playback.restore()
            case Interrupt():
                self._stop(action)
            case EndTurn() if self._busy:
                self._stop(action)

    def _note(self, action: Action) -> None:
        self._acts.append((self._now_s, action))

    def _stop(self, action: Action) -> None:
        """The reply is left."""
        self._note(action)
        self._stopped, self._busy = True, False
        self._playback.stop_all()
        self._observe(AgentBusy(False))

    def _transcribed(self) -> tuple[str, float]:
        """The words of the turn so far, and when they are there."""
        text, took_s = self._models.text(
            self._key(), self._heard, self._turn_from_s, self._now_s, self._case.language
        )
        ready_s = max(heapq.heappop(self._stt_free_s), self._now_s) + took_s
        heapq.heappush(self._stt_free_s, ready_s)
        return text, ready_s

    def _transcribe_partial(self) -> None:
        if self._now_s < self._partial_from_s:
            return
        text, ready_s = self._transcribed()
        self._partial_from_s = ready_s + (ready_s - self._now_s) * (1 / PARTIAL_SHARE - 1)
        if text:
            self._put(ready_s, WordsHeard(text, self._read(text)))

    def _score(self, pause: int) -> None:
        score, took_s = self._models.score(self._key(), self._heard, self._turn_from_s, self._now_s)
        self._score_free_s = max(self._score_free_s, self._now_s) + took_s
        silence_s = self._now_s - self._voice.last_voice_s
        self._put(self._score_free_s, TurnScored(pause, score, silence_s))

    def _key(self) -> str:
        return f"{self._case.kind}/{self._case.name}"

    def _read(self, text: str) -> Any:
        spoken_s = self._playback.sent_s(1)
        ends = [mark.text_end for mark in self._marks if mark.end_s <= spoken_s]
        said = _REPLIES[self._case.language][: ends[-1]] if ends else ""
        return read(text, self._case.language, said=said)

    def _put(self, at_s: float, event: Event) -> None:
        self._asked += 1
        heapq.heappush(self._due, (at_s, self._asked, event))

    # What came of it.

    def _outcome(self) -> Over:
        case = self._case
        onset_s = self._reply_s + case.at_s
        if len(self._sound):
            voiced = np.flatnonzero(np.abs(self._sound) > 0.05 * np.abs(self._sound).max())
            onset_s += float(voiced[0]) / RATE_HZ
        elif case.kind == "echo":
            onset_s = self._reply_s
        acts = [(at_s, action) for at_s, action in self._acts if at_s >= onset_s]
        ducked_s = next((at_s for at_s, a in acts if isinstance(a, Duck)), None)
        stops = [at_s for at_s, a in acts if isinstance(a, Interrupt | EndTurn)]
        yielded_s = self._silent_from(stops[0], acts) if stops else None
        return Over(
            kind=case.kind,
            text=case.text,
            duck_ms=None if ducked_s is None else 1000 * (ducked_s + FRAME_S - onset_s),
            yield_ms=None if yielded_s is None else 1000 * (yielded_s - onset_s),
            interrupted=bool(stops),
            held_ms=0.0 if stops else 1000 * self._held_s(acts),
        )

    def _silent_from(self, stopped_s: float, acts: Sequence[tuple[float, Action]]) -> float:
        """When the silence began that the interruption made final."""
        begun_s = stopped_s
        for at_s, action in acts:
            if at_s <= stopped_s:
                if isinstance(action, Hold):
                    begun_s = at_s
                elif isinstance(action, Restore):
                    begun_s = stopped_s
        first = round(begun_s / FRAME_S)
        return next(
            (
                index * FRAME_S
                for index, level in enumerate(self._levels[first:], first)
                if level < _QUIET_DBFS
            ),
            float("inf"),
        )

    def _held_s(self, acts: Sequence[tuple[float, Action]]) -> float:
        held_s, since_s = 0.0, None
        for at_s, action in acts:
            if isinstance(action, Hold) and since_s is None:
                since_s = at_s
            elif isinstance(action, Restore) and since_s is not None:
                held_s, since_s = held_s + at_s - since_s, None
        return held_s
