"""The simulated agent: replies that are thought of, spoken, lowered, held and cut off.

In: what `Ears` and `Replier` would tell the reply (answer, speculate, duck, hold, ...), with the
server's clock.  Out: how loud each frame of 20 ms leaves, and what came of every reply.  The voice
is a table of words with times; nothing is synthesised.  Pure; knows nothing of turn takers.

The mouth follows `transports.pacing`: a frame is the smallest step, a lowered voice is lower from
the next frame on, and it breaks off at the next phone's end if that is near.
"""

import math
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from agent.turns.events import EPSILON_S, SILENT_DBFS
from agent.turns.heard import HEARD_SHARE, HeardText
from bench.turns_world.acoustics import FRAME_S, agent_levels_dbfs
from bench.turns_world.latencies import Latencies
from bench.turns_world.scripts import Language, Word
from transports.utterance import BREAK_WITHIN_SAMPLES, RATE_HZ
from tts.types import Mark

BREAK_WITHIN_S = BREAK_WITHIN_SAMPLES / RATE_HZ
FADE_S = 0.02
PHONE_S = 0.08
MARK_SIGMA_S = 0.04
"""Error of a voice's word times: GPT-SoVITS gives them on a grid of 40 ms."""
VOICED_DBFS = -60.0
"""Quieter frames of the agent are the pauses between its words."""
FILLER_AFTER_S = 1.2
"""`agent.reply.FILLER_AFTER_S`: a tool that takes longer is covered by a short phrase."""
FILLERS: dict[Language, str] = {"en": "One moment, let me check. ", "zh": "请稍等。"}
TOKENS_PER_WORD = 1.3
FIRST_CLAUSE_TOKENS = 8
_WORD = {"en": re.compile(r"[\w'’-]+"), "zh": re.compile(r"\w")}
_LONG_STOP, _SHORT_STOP = ".!?。！？…", ",;:，；：、"


@dataclass(frozen=True, slots=True)
class Speech:
    """A text as the agent's voice speaks it."""

    text: str
    words: tuple[Word, ...]
    spans: tuple[tuple[int, int], ...]
    """Where in `text` each word stands."""
    levels_dbfs: tuple[float, ...]
    phone_ends_s: tuple[float, ...]

    @property
    def length_s(self) -> float:
        """Length of the audio."""
        return self.words[-1].end_s

    def words_played(self, position_s: float) -> int:
        """How many words count as heard when so much has sounded: see `HEARD_SHARE`."""
        return sum(
            word.start_s + HEARD_SHARE * (word.end_s - word.start_s) <= position_s
            for word in self.words
        )


@lru_cache(maxsize=4096)
def speech(text: str, language: Language) -> Speech:
    """The speech of a text that has words: some 3 English words or 5 Chinese characters a second.

    Raises ValueError for a text without words.
    """
    words, spans, at_s = [], [], 0.0
    for match in _WORD[language].finditer(text):
        length_s = 0.22 if language == "zh" else 0.1 + 0.045 * len(match.group())
        words.append(Word(match.group(), at_s, at_s + length_s))
        spans.append(match.span())
        after = text[match.end() : match.end() + 1]
        at_s += length_s + (0.3 if after and after in _LONG_STOP else 0.0)
        at_s += 0.15 if after and after in _SHORT_STOP else 0.0
    if not words:
        raise ValueError(f"text {text!r} has no words to speak")
    ends = []
    for word in words:
        phones = max(1, round((word.end_s - word.start_s) / PHONE_S))
        step_s = (word.end_s - word.start_s) / phones
        ends += [word.start_s + step_s * (number + 1) for number in range(phones)]
    levels = agent_levels_dbfs(tuple(words), seed=len(text))
    return Speech(text, tuple(words), tuple(spans), levels, tuple(ends))


@dataclass(slots=True)
class Reply:
    """One answer and what came of it; times are the server's."""

    speech: Speech
    begun_s: float
    """When its text was decided on: the end of the turn."""
    ready_s: float
    """When its first audio is there."""
    answers: bool = True
    """It answers a turn; False for the rest of a reply that was broken off for nothing."""
    position_s: float = 0.0
    """Audio that has left."""
    first_voice_s: float | None = None
    last_voice_s: float = 0.0
    """End of the last frame with voice that left."""
    ended_s: float | None = None
    cut: bool = False
    """It was broken off."""
    lowered: bool = False
    break_at_s: float | None = None
    """Position at which it breaks off; None while it speaks on."""

    @property
    def sounding(self) -> bool:
        """It has begun to sound and has not ended."""
        return self.first_voice_s is not None and self.ended_s is None

    @property
    def said(self) -> str:
        """Its text as far as it has sounded."""
        words = self.speech.words_played(self.position_s)
        if words == len(self.speech.words):
            return self.speech.text
        return self.speech.text[: self.speech.spans[words - 1][1]] if words else ""


@dataclass(slots=True)
class Draft:
    """An answer that nobody may hear yet."""

    speech: Speech
    tool: bool
    """It comes to a tool, which waits for the end of the turn."""
    asked_s: float
    text_s: float
    """When its first clause is there."""
    ready_s: float
    """When its first audio is there."""
    ended_s: float | None = None
    used: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """A reply was broken off."""

    reply: Reply
    heard_words: int
    """Words in the context afterwards."""
    played_words: int
    """Words of which the caller heard enough."""


@dataclass(slots=True)
class AgentModel:
    """The agent of one call."""

    latencies: Latencies
    language: Language
    random: Random
    duck_db: float
    """How far a lowered voice is lowered."""
    said_before: str = ""
    """What it said before the reply under way."""
    first_text_extra_s: float = 0.0
    """What the pipeline adds before the voice gets its first text."""
    counts_begun_words: bool = False
    """The context keeps the words that have begun, by the clock of frames put out, as pipecat's
    does; otherwise the heard clock's."""
    reply: Reply | None = None
    replies: list[Reply] = field(default_factory=list)
    drafts: dict[int, Draft] = field(default_factory=dict)
    voiced: list[list[float]] = field(default_factory=list)
    """[from, to] of the agent's voice as it left, without its pauses."""
    next_frame_s: float = 0.0
    """When what is decided now is in force at the earliest."""

    @property
    def busy(self) -> bool:
        """A reply is under way."""
        return self.reply is not None

    @property
    def said(self) -> str:
        """The newest of what it said, as far as it has sounded."""
        said = self.reply.said if self.reply else ""
        return said or self.said_before

    # Beginning

    def speculate(self, number: int, text: str, now_s: float, *, tool: bool) -> None:
        """Begin to think of the answer `text` behind a closed gate."""
        text_s = now_s + self.latencies.llm.draw_s(self.random) + self.first_text_extra_s
        ready_s = text_s + self.latencies.tts.draw_s(self.random)
        self.drafts[number] = Draft(speech(text, self.language), tool, now_s, text_s, ready_s)

    def discard(self, number: int, now_s: float) -> None:
        """The draft will not be needed."""
        draft = self.drafts.get(number)
        if draft and draft.ended_s is None:
            draft.ended_s = now_s

    def answer(self, text: str, now_s: float, *, draft: int | None, tool: bool) -> None:
        """Answer a turn, from a draft if there is one; what sounds or is thought of is left."""
        begun = self.drafts.get(draft) if draft is not None else None
        if begun:
            begun.used, begun.ended_s = True, now_s
            text_s, ready_s = begun.text_s, begun.ready_s
        else:
            text_s = now_s + self.latencies.llm.draw_s(self.random) + self.first_text_extra_s
            ready_s = text_s + self.latencies.tts.draw_s(self.random)
        if tool:
            # A tool runs once the turn is over, never for a draft; its result is thought about.
            tool_s = self.latencies.tool.draw_s(self.random)
            wait_s = min(tool_s + self.latencies.llm.draw_s(self.random), FILLER_AFTER_S)
            if tool_s > FILLER_AFTER_S:
                text = FILLERS[self.language] + text
            ready_s = max(now_s, text_s) + wait_s + self.latencies.tts.draw_s(self.random)
        self._begin(Reply(speech(text, self.language), now_s, max(now_s, ready_s)))

    def resume(self, cut: Cut, now_s: float) -> None:
        """Say the rest of a reply that was broken off for nothing, from its last phrase on.

        One that had not sounded is begun again.
        """
        whole = cut.reply.speech
        if cut.heard_words >= len(whole.words):
            return
        at = whole.spans[cut.heard_words][0]
        start = max(whole.text.rfind(stop, 0, at) + 1 for stop in _LONG_STOP + _SHORT_STOP)
        rest = whole.text[start:].strip()
        ready_s = now_s + self.latencies.tts.draw_s(self.random)
        if cut.reply.first_voice_s is None:
            ready_s += self.latencies.llm.draw_s(self.random) + self.first_text_extra_s
        answers = cut.reply.answers and cut.reply.first_voice_s is None
        self._begin(Reply(speech(rest, self.language), now_s, ready_s, answers))

    def _begin(self, reply: Reply) -> None:
        self.reply = reply
        self.replies.append(reply)

    # While it sounds

    def duck(self) -> None:
        """Lower the voice, if it sounds."""
        if self.reply and self.reply.sounding:
            self.reply.lowered = True

    def hold(self) -> None:
        """Fall silent at the next phone boundary and keep the place."""
        if self.reply and self.reply.sounding:
            self._plan_break(self.reply)

    def restore(self) -> None:
        """Speak on."""
        if self.reply:
            self.reply.lowered, self.reply.break_at_s = False, None

    def stop(self, now_s: float) -> Cut | None:
        """Break the reply off; None if there was none."""
        reply, self.reply = self.reply, None
        if reply is None:
            return None
        reply.cut, reply.ended_s = True, now_s
        self.said_before = reply.said or self.said_before
        if reply.first_voice_s is None:
            return Cut(reply, 0, 0)
        self._plan_break(reply)
        assert reply.break_at_s is not None
        rest_s = reply.break_at_s - reply.position_s
        if rest_s > EPSILON_S:
            self._note_voice(reply, max(now_s, self.next_frame_s), rest_s)
        played_s = reply.break_at_s - FADE_S / 2
        return Cut(reply, self._heard_words(reply, played_s), reply.speech.words_played(played_s))

    def frame(self, now_s: float) -> float:
        """The next 20 ms leave at `now_s`: how loud they are."""
        self.next_frame_s = now_s + FRAME_S
        reply = self.reply
        if reply is None or reply.ready_s > now_s:
            return SILENT_DBFS
        end_s = reply.speech.length_s
        stop_s = end_s if reply.break_at_s is None else min(end_s, reply.break_at_s)
        step_s = min(FRAME_S, stop_s - reply.position_s)
        if step_s <= EPSILON_S:
            if reply.position_s >= end_s - EPSILON_S:
                reply.ended_s, self.reply = now_s, None
                self.said_before = reply.speech.text
            return SILENT_DBFS
        levels = reply.speech.levels_dbfs
        level = levels[min(int(reply.position_s / FRAME_S + 0.5), len(levels) - 1)]
        reply.position_s += step_s
        if level > VOICED_DBFS:
            self._note_voice(reply, now_s, step_s)
        return level - self.duck_db if reply.lowered else level

    def _note_voice(self, reply: Reply, now_s: float, length_s: float) -> None:
        if reply.first_voice_s is None:
            reply.first_voice_s = now_s
        reply.last_voice_s = now_s + length_s
        if self.voiced and now_s - self.voiced[-1][1] < FRAME_S / 2:
            self.voiced[-1][1] = reply.last_voice_s
        else:
            self.voiced.append([now_s, reply.last_voice_s])

    def _plan_break(self, reply: Reply) -> None:
        """As `transports.utterance.Utterance.break_off` does."""
        if reply.break_at_s is not None:
            return
        earliest_s, latest_s = reply.position_s + FADE_S, reply.position_s + BREAK_WITHIN_S
        ends = reply.speech.phone_ends_s
        at = bisect_left(ends, earliest_s)
        near = at < len(ends) and ends[at] <= latest_s
        reply.break_at_s = min(ends[at] if near else earliest_s, reply.speech.length_s)

    # What was heard of it, and what was made for nothing

    def work(self, draft: Draft, until_s: float) -> tuple[int, float]:
        """Tokens and seconds of audio made for a draft by the time it ended, or `until_s`."""
        ended_s = until_s if draft.ended_s is None else draft.ended_s
        whole = math.ceil(len(draft.speech.words) * TOKENS_PER_WORD)
        if draft.used and not draft.tool:
            return whole, draft.speech.length_s
        more_s = ended_s - draft.text_s
        more = FIRST_CLAUSE_TOKENS + math.floor(more_s * self.latencies.tokens_per_s)
        tokens = min(whole, more) if more_s >= 0 else 0
        spoken_s = max(0.0, ended_s - draft.ready_s) * self.latencies.audio_x_realtime
        return tokens, 0.0 if draft.tool else min(draft.speech.length_s, spoken_s)

    def _heard_words(self, reply: Reply, played_s: float) -> int:
        """Words that enter the context when a reply is broken off."""
        if self.counts_begun_words:
            return sum(word.start_s <= reply.position_s for word in reply.speech.words)
        return len(_words(self._heard(reply).heard(played_s), self.language))

    def _heard(self, reply: Reply) -> HeardText:
        heard = HeardText()
        heard.add_piece(reply.speech.text, 0.0)
        for word, (start, end) in zip(reply.speech.words, reply.speech.spans, strict=True):
            error_s = self.random.gauss(0.0, MARK_SIGMA_S)
            mark = Mark(start, end, max(0.0, word.start_s + error_s), word.end_s + error_s)
            heard.add_marks([mark])
        return heard


def _words(text: str, language: Language) -> list[str]:
    return _WORD[language].findall(text)
