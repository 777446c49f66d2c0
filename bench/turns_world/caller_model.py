"""The simulated caller: when the script's turns and sounds begin, given what the agent does.

In: the script and, every 20 ms, the agent.  Out: what begins to sound now.  Times are the ear's: a
caller hears the agent `down` later, and is heard `up` later, so they react after both.  Callers
say their turns to the end, also when the agent cuts them off; one whose interruption is not yielded
to says it once more, and then gives up.  Pure; knows nothing of turn takers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from bench.turns_world.agent_model import AgentModel, Reply
from bench.turns_world.ears_model import Source
from bench.turns_world.latencies import Latencies
from bench.turns_world.scripts import Exchange, Script, Sound

FIRST_TURN_S = 0.5
YIELD_WITHIN_S = 2.0
"""So long an interrupting caller talks against the agent before they begin anew."""
AGAIN_AFTER_S = 0.3
ANSWER_WITHIN_S = 8.0
"""Silence after which a caller who got no answer goes on."""


class Phase(Enum):
    """What the caller does."""

    PAUSING = "pausing"
    SPEAKING = "speaking"
    AWAITING = "awaiting an answer"
    LISTENING = "listening"
    GONE = "gone"


@dataclass(slots=True)
class CallerModel:
    """One script's caller."""

    script: Script
    latencies: Latencies
    phase: Phase = Phase.PAUSING
    reply_text: str = ""
    """What the agent is to answer to what the caller said last."""
    uses_tool: bool = False
    """Whether that answer needs a tool."""
    _index: int = 0
    _next_s: float = FIRST_TURN_S
    _said_s: float = 0.0
    """End of the newest turn."""
    _answer: Reply | None = None
    _agenda: list[tuple[float, Sound]] = field(default_factory=list)
    _cues: list[Sound] = field(default_factory=list)
    """Sounds that wait for something of the agent's answer."""
    _interruption: tuple[Source, Reply] | None = None
    """What was said against a reply that goes on."""
    _sounds_until_s: float = 0.0

    @property
    def exchange(self) -> Exchange:
        """The exchange under way."""
        return self.script.exchanges[min(self._index, len(self.script.exchanges) - 1)]

    @property
    def _reaction_s(self) -> float:
        return self.latencies.up_s + self.latencies.down_s

    def step(self, now_s: float, agent: AgentModel) -> Iterator[Source]:
        """What begins to sound at ear time `now_s`."""
        for source in self._due(now_s):
            yield source
            if source.is_turn:
                self._begin_interruption(source, agent)
        match self.phase:
            case Phase.PAUSING:
                if agent.busy:
                    self._next_s = now_s + self._reaction_s + self.exchange.gap_s
                elif now_s >= self._next_s:
                    yield self._begin_turn(now_s)
            case Phase.SPEAKING:
                if now_s >= self._said_s:
                    self.phase = Phase.AWAITING
            case Phase.AWAITING:
                self._await(now_s, agent)
            case Phase.LISTENING:
                self._listen(now_s, agent)
        if self._interruption:
            self._insist(now_s, agent)

    def _due(self, now_s: float) -> Iterator[Source]:
        while self._agenda and self._agenda[0][0] <= now_s:
            sound = self._agenda.pop(0)[1]
            self._sounds_until_s = max(self._sounds_until_s, now_s + sound.duration_s)
            yield Source(sound, now_s, now_s + sound.duration_s)

    def _begin_turn(self, now_s: float) -> Source:
        exchange = self.exchange
        source = Source(exchange.turn, now_s, now_s + exchange.turn.duration_s)
        self.phase, self._said_s, self._answer = Phase.SPEAKING, source.end_s, None
        self.reply_text, self.uses_tool = exchange.reply, exchange.uses_tool
        self._cues = list(exchange.sounds)
        self._schedule("turn start", source.start_s)
        self._schedule("turn end", source.end_s)
        return source

    def _begin_interruption(self, source: Source, agent: AgentModel) -> None:
        sound = source.what
        assert isinstance(sound, Sound)
        self.phase, self._said_s, self._answer = Phase.SPEAKING, source.end_s, None
        self.reply_text, self.uses_tool = sound.reply, False
        self._cues, self._agenda = [], []
        again = self._interruption is not None
        self._interruption = None
        if not again and agent.reply and agent.reply.sounding:
            self._interruption = (source, agent.reply)

    def _insist(self, now_s: float, agent: AgentModel) -> None:
        """Plan to say the interruption once more, if the agent does not yield."""
        assert self._interruption
        source, reply = self._interruption
        if agent.reply is not reply:
            self._interruption = None
        elif not self._agenda and now_s >= max(source.start_s + YIELD_WITHIN_S, source.end_s):
            if now_s - reply.last_voice_s < AGAIN_AFTER_S:
                assert isinstance(source.what, Sound)
                self._plan(now_s + AGAIN_AFTER_S, source.what)

    def _await(self, now_s: float, agent: AgentModel) -> None:
        reply = agent.reply
        if reply and reply.first_voice_s is not None and reply.begun_s >= self._said_s:
            self.phase, self._answer = Phase.LISTENING, reply
            self._schedule("agent onset", reply.first_voice_s + self._reaction_s)
        elif now_s - self._said_s > ANSWER_WITHIN_S and not agent.busy:
            self._go_on(now_s)

    def _listen(self, now_s: float, agent: AgentModel) -> None:
        reply = agent.reply
        if reply:
            if self._cues and reply.sounding:
                self._watch_share(now_s, reply)
            return
        if self._answer and self._answer.ended_s is not None:
            self._schedule("reply end", self._answer.last_voice_s + self._reaction_s)
            self._answer = None
        if self._agenda:
            return
        self._go_on(now_s)
        if agent.voiced and self._index < len(self.script.exchanges):
            said_s = agent.voiced[-1][1] + self._reaction_s + self.exchange.gap_s
            self._next_s = max(self._next_s, said_s)

    def _watch_share(self, now_s: float, reply: Reply) -> None:
        share = reply.position_s / reply.speech.length_s
        for sound in [s for s in self._cues if s.cue.of == "reply share"]:
            if share >= sound.cue.value:
                self._cues.remove(sound)
                self._plan(now_s + self._reaction_s, sound)

    def _go_on(self, now_s: float) -> None:
        """The exchange is over."""
        self._index += 1
        self._next_s = max(now_s, self._sounds_until_s) + AGAIN_AFTER_S
        self._cues = []
        over = self._index >= len(self.script.exchanges)
        self.phase = Phase.GONE if over else Phase.PAUSING

    def _schedule(self, of: str, from_s: float) -> None:
        for sound in [sound for sound in self._cues if sound.cue.of == of]:
            self._cues.remove(sound)
            self._plan(from_s + sound.cue.value, sound)

    def _plan(self, at_s: float, sound: Sound) -> None:
        self._agenda.append((at_s, sound))
        self._agenda.sort(key=lambda entry: entry[0])
