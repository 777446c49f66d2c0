"""Scores of turn taking, from what happened in simulated or recorded calls.

In: outcomes, one for each turn, sound and draft.  Out: numbers by stable names.  Pure.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.turns_world.scripts import HoldKind, Language, SoundKind, TurnKind


@dataclass(frozen=True, slots=True)
class PauseOutcome:
    """What a turn taker did in one pause of a turn."""

    kind: HoldKind | Literal["end"]
    length_s: float
    """Of a hold; 0 for the end of the turn."""
    ended_after_s: float | None
    """Silence after which it took the turn for over; None if it did not (in a hold: rightly)."""
    looks_complete: bool


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """One turn of the caller, interruptions included.  Times on the call's clock."""

    script: str
    language: Language
    kind: TurnKind
    pauses: tuple[PauseOutcome, ...]
    """Its holds of 0.1 s and more, then its end."""
    began_s: float
    ended_s: float
    """Last voiced sample of the caller."""
    answered_s: float | None
    """First voiced sample of the agent's answer to the whole turn; None if none came before the
    caller spoke again."""
    uses_tool: bool
    overlaps_ms: tuple[float, ...] = ()
    """The agent began to speak inside this turn: for each such segment, how long both spoke."""
    yield_ms: float | None = None
    """The turn interrupted the agent: its first voiced sample until the agent is silent; `inf` if
    the agent spoke on to its end."""
    duck_ms: float | None = None
    """The same until the agent's voice is lowered or silent."""
    heard_error_words: int | None = None
    """Difference between the words in the context and the words played, where a reply was cut."""


@dataclass(frozen=True, slots=True)
class SoundOutcome:
    """A sound that is no turn."""

    script: str
    language: Language
    kind: SoundKind
    agent_spoke: bool
    """Whether the agent spoke when it began."""
    stopped: bool
    """The agent broke off its reply for it (held and restored does not count)."""
    held_ms: float = 0.0
    """How long the agent was silent in mid-reply before it spoke on."""
    ducked_ms: float = 0.0
    silent_tick_ms: float | None = None
    """From the sound's onset to the end of the first whole tick of 200 ms without agent voice."""
    responded_ms: float | None = None
    """The agent was silent: from the sound's end to the first sound of a reply to it."""


@dataclass(frozen=True, slots=True)
class DraftOutcome:
    """An answer begun before the turn was over."""

    used: bool
    tokens: int
    audio_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that came of a call."""

    turns: tuple[TurnOutcome, ...]
    sounds: tuple[SoundOutcome, ...]
    drafts: tuple[DraftOutcome, ...] = ()


# Percentiles


def percentile(values: Iterable[float], percent: float) -> float | None:
    """The smallest value that at least this share of the values do not exceed.

    None without values, or where it is infinite: what never happened has no time.
    """
    ordered = sorted(values)
    if not ordered:
        return None
    value = ordered[max(0, math.ceil(len(ordered) * percent / 100 - 1e-9) - 1)]
    return value if math.isfinite(value) else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _share(hits: Iterable[bool]) -> float | None:
    return _mean([float(hit) for hit in hits])


def _turns(outcomes: Iterable[Outcome]) -> list[TurnOutcome]:
    return [turn for outcome in outcomes for turn in outcome.turns]


def _sounds(outcomes: Iterable[Outcome]) -> list[SoundOutcome]:
    return [sound for outcome in outcomes for sound in outcome.sounds]


# False cut-offs against delay, as eot-bench defines them (github.com/livekit/eot-bench, README)


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of a detector."""

    false_cutoffs: float
    """Share of the holds between 0.2 and 5 s inside which it took the turn for over."""
    mean_delay_s: float
    """Silence from the true ends to the decision; what never ended counts `NEVER_S`."""
    setting: tuple[float, ...]
    """What was swept, for the report."""


NEVER_S = 5.0
"""Delay of a turn whose end was not seen before the caller spoke again."""
COUNTED_HOLDS_S = (0.2, 5.0)


def point(outcomes: Sequence[Outcome], setting: tuple[float, ...]) -> Point:
    """The point of one run.  Interruptions are no turns here, as nothing was asked.

    Raises ValueError without holds or without turns.
    """
    pauses = [p for turn in _turns(outcomes) if turn.kind != "interruption" for p in turn.pauses]
    shortest_s, longest_s = COUNTED_HOLDS_S
    holds = [p for p in pauses if p.kind != "end" and shortest_s <= p.length_s <= longest_s]
    delays_s = [
        NEVER_S if p.ended_after_s is None else p.ended_after_s for p in pauses if p.kind == "end"
    ]
    if not holds or not delays_s:
        raise ValueError(f"{len(holds)} holds and {len(delays_s)} turns make no point")
    cuts = sum(p.ended_after_s is not None for p in holds)
    return Point(cuts / len(holds), sum(delays_s) / len(delays_s), setting)


def cut_turns(outcomes: Iterable[Outcome]) -> float | None:
    """Share of the turns that were taken to be over in at least one of their holds."""
    return _share(
        any(p.kind != "end" and p.ended_after_s is not None for p in turn.pauses)
        for turn in _turns(outcomes)
        if turn.kind != "interruption"
    )


def frontier(points: Iterable[Point]) -> list[Point]:
    """The settings that no other beats in both, by rising delay."""
    best: list[Point] = []
    for candidate in sorted(points, key=lambda p: (p.mean_delay_s, p.false_cutoffs)):
        if not best or candidate.false_cutoffs < best[-1].false_cutoffs:
            best.append(candidate)
    return best


def operating_points(points: Iterable[Point]) -> dict[str, float | None]:
    """The least false cut-offs at a mean delay, the least delay at a share of them.

    None where no setting keeps the bound.
    """
    best = frontier(points)
    named: dict[str, float | None] = {}
    for budget_ms in (300, 550, 600):
        shares = [p.false_cutoffs for p in best if p.mean_delay_s <= budget_ms / 1000 + 1e-9]
        named[f"false_cutoffs_at_{budget_ms}ms"] = min(shares, default=None)
    for percent in (5, 10):
        delays_s = [p.mean_delay_s for p in best if p.false_cutoffs <= percent / 100 + 1e-9]
        named[f"delay_ms_at_{percent}pct"] = 1000 * min(delays_s) if delays_s else None
    return named


# Interruptions, sounds that are none, drafts

UNMEANT: frozenset[SoundKind] = frozenset({"backchannel", "cough", "laughter", "tic", "side talk"})
"""What should not stop the agent.  Television is scored apart: it goes on and on."""


def answers(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Voice-to-voice: the caller's last sound to the first of the answer, and what got none."""
    turns = _turns(outcomes)
    v2v_ms = [1000 * (t.answered_s - t.ended_s) for t in turns if t.answered_s is not None]
    return {
        "v2v_ms_p50": percentile(v2v_ms, 50),
        "v2v_ms_p95": percentile(v2v_ms, 95),
        "unanswered_share": _share(turn.answered_s is None for turn in turns),
    }


def interruptions(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """How fast the agent is lowered and silent, and whether it knows what was heard."""
    turns = _turns(outcomes)
    yields_ms = [turn.yield_ms for turn in turns if turn.yield_ms is not None]
    ducks_ms = [turn.duck_ms for turn in turns if turn.duck_ms is not None]
    errors = [t.heard_error_words for t in turns if t.heard_error_words is not None]
    return {
        "interruptions": float(len(yields_ms)),
        "yield_ms_p50": percentile(yields_ms, 50),
        "yield_ms_p95": percentile(yields_ms, 95),
        "unyielded_share": _share(math.isinf(ms) for ms in yields_ms),
        "duck_ms_p50": percentile(ducks_ms, 50),
        "duck_ms_p95": percentile(ducks_ms, 95),
        "heard_error_words_p99": percentile(errors, 99),
        "heard_error_words_max": percentile(errors, 100),
        "heard_within_1_word_share": _share(error <= 1 for error in errors),
    }


def selectivity(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Share of coughs, backchannels and side talk over the agent's voice that do not stop it.

    Held and restored is not stopped; how often and how long is told beside it.
    """
    over = [sound for sound in _sounds(outcomes) if sound.agent_spoke]
    unmeant = [sound for sound in over if sound.kind in UNMEANT]
    held_ms = [sound.held_ms for sound in unmeant if not sound.stopped]
    scores = {
        "selectivity": _share(not sound.stopped for sound in unmeant),
        "held_share": _share(ms > 0 for ms in held_ms),
        "held_ms_mean": _mean(held_ms),
        "held_ms_p95": percentile(held_ms, 95),
    }
    for kind in (*sorted(UNMEANT), "tv"):
        of_kind = [not sound.stopped for sound in over if sound.kind == kind]
        scores[f"selectivity_{kind.replace(' ', '_')}"] = _share(of_kind)
    return scores


def wasted_work(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Of the answers begun early: how many were thrown away, and the work in them."""
    drafts = [draft for outcome in outcomes for draft in outcome.drafts]
    wasted = [draft for draft in drafts if not draft.used]
    turns = len(_turns(outcomes))
    return {
        "wasted_work_share": _share(not draft.used for draft in drafts),
        "drafts_per_turn": len(drafts) / turns if turns else None,
        "wasted_tokens_per_turn": sum(d.tokens for d in wasted) / turns if turns else None,
        "wasted_audio_s_per_turn": sum(d.audio_s for d in wasted) / turns if turns else None,
    }


# EVA's turn-taking score (ServiceNow EVA-Bench v0.2, turn_taking.py)


def eva_latency(latency_ms: float, *, uses_tool: bool) -> float:
    """0 up to -500 ms, 1 from 500 to 2000 ms, 0 from 3500 ms on; between linear.

    With a tool 3000 and 5000 stand for 2000 and 3500.
    """
    late_ms, lost_ms = (3000.0, 5000.0) if uses_tool else (2000.0, 3500.0)
    rising = (latency_ms + 500) / 1000
    falling = (lost_ms - latency_ms) / (lost_ms - late_ms)
    return max(0.0, min(1.0, rising, falling))


def eva_turn(turn: TurnOutcome) -> float:
    """The score of one turn.

    The agent interrupted: the least of 0.5 (1 - overlap / 2 s), 0.5 (1 - (segments - 1) / 2) and
    the score of the answer in the end.  The caller interrupted: 1 - yield / 2 s.  Both: the less.
    """
    settled = 0.0
    if turn.answered_s is not None:
        settled = eva_latency(1000 * (turn.answered_s - turn.ended_s), uses_tool=turn.uses_tool)
    scores = []
    if turn.overlaps_ms:
        overlap = 0.5 * (1 - sum(turn.overlaps_ms) / 2000)
        count = 0.5 * (1 - (len(turn.overlaps_ms) - 1) / 2)
        scores.append(max(0.0, min(overlap, count, settled)))
    if turn.yield_ms is not None:
        scores.append(max(0.0, 1 - turn.yield_ms / 2000))
    return min(scores, default=settled)


def eva(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Mean over all turns."""
    return {"eva_turn_taking": _mean([eva_turn(turn) for turn in _turns(outcomes)])}


# tau-voice's interaction panel (sierra-research/tau2-bench, docs/interaction-metrics.md)

TICK_S = 0.2
_YIELDS_WITHIN_S = 2.0
_STOPS_WITHIN_MS = 1000.0
_RESPONDS_WITHIN_MS = 2000.0
_PANEL_KINDS: Mapping[str, frozenset[SoundKind]] = {
    "s_bc": frozenset({"backchannel"}),
    "s_vt": frozenset({"cough", "laughter", "tic"}),
    "s_nd": frozenset({"side talk"}),
}


def tau_voice(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Times in seconds, in ticks of 200 ms.

    `l_r`, `r_r`: response latency and share of turns answered before the caller speaks again;
    `l_y`, `r_y`: time to fall silent for an interruption, and share within 2 s; `i_a`: how often
    the agent begins to speak inside a turn, per turn; `s_bc`, `s_vt`, `s_nd`: share of
    backchannels, vocal tics and non-directed speech that the agent neither falls silent for (a
    whole tick within 1 s, even if it then speaks on) nor answers within 2 s.
    """
    turns = _turns(outcomes)
    waits_s = [
        TICK_S * (_tick(turn.answered_s) - _tick(turn.ended_s))
        for turn in turns
        if turn.answered_s is not None
    ]
    yields_s = [turn.yield_ms / 1000 for turn in turns if turn.yield_ms is not None]
    stopped_s = [TICK_S * math.ceil(s / TICK_S - 1e-9) for s in yields_s if math.isfinite(s)]
    panel = {
        "tau_l_r_s": _mean(waits_s),
        "tau_r_r": _share(turn.answered_s is not None for turn in turns),
        "tau_l_y_s": _mean(stopped_s),
        "tau_r_y": _share(s <= _YIELDS_WITHIN_S for s in yields_s),
        "tau_i_a": _mean([float(len(turn.overlaps_ms)) for turn in turns]),
    }
    for name, kinds in _PANEL_KINDS.items():
        sounds = [sound for sound in _sounds(outcomes) if sound.kind in kinds]
        panel[f"tau_{name}"] = _share(not _reacts(sound) for sound in sounds)
    return panel


def _tick(at_s: float) -> int:
    return math.floor(at_s / TICK_S + 1e-9)


def _reacts(sound: SoundOutcome) -> bool:
    if sound.agent_spoke:
        return sound.silent_tick_ms is not None and sound.silent_tick_ms <= _STOPS_WITHIN_MS
    return sound.responded_ms is not None and sound.responded_ms <= _RESPONDS_WITHIN_MS


def panel(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Every score but those of the curve, by its name in the report."""
    return {
        **answers(outcomes),
        **interruptions(outcomes),
        **selectivity(outcomes),
        **wasted_work(outcomes),
        **eva(outcomes),
        **tau_voice(outcomes),
    }
