"""Pictures of turns as one SVG: the same lanes as on the page.

In: `Picture`s.  Out: the text of an SVG file that needs nothing else, and follows the reader's
choice of light or dark.  Pure.
"""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from agent.turns.timeline import LANES, Decision, Judgement, Lane, Picture

WIDTH = 1000
LEFT = 110
RIGHT = 44
LANE_HEIGHT = 26
SCORE_HEIGHT = 56
HEAD_HEIGHT = 30
FOOT_HEIGHT = 30
TICK_WIDTH = 70
"""Least distance of two times on the axis."""
TICKS_MS = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)

_TITLES: dict[Lane, str] = {
    "caller": "caller",
    "over": "turn over?",
    "draft": "early answer",
    "floor": "ducked, held",
    "agent": "agent",
}
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1d2224; }
.soft { fill: #5d6469; } .line { stroke: #e2dfd8; }
.grid { stroke: #e2dfd8; stroke-dasharray: 2 3; }
.ground { fill: #ffffff; } .caller-speech { fill: #3f7fb5; } .caller-silence { fill: #c9d6df; }
.agent-speech { fill: #0f6f63; } .agent-thinking { fill: #b9d8d3; } .draft-begun { fill: #c98a1b; }
.draft-adopted { fill: #c98a1b; } .draft-dropped { fill: #ecd9b4; } .floor-duck { fill: #d9b8e0; }
.floor-hold { fill: #9a5fa8; } .score { fill: #7a3d0c; } .curve { stroke: #7a3d0c; fill: none; }
.end { stroke: #0f6f63; } .interrupt { stroke: #b3261e; } .drop { stroke: #5d6469; }
@media (prefers-color-scheme: dark) {
text { fill: #e9ecec; } .soft { fill: #a3acb1; } .line, .grid { stroke: #3a4348; }
.ground { fill: #1c2124; } .caller-speech { fill: #6aa9dd; } .caller-silence { fill: #35444f; }
.agent-speech { fill: #55bfae; } .agent-thinking { fill: #285049; }
.draft-begun, .draft-adopted { fill: #e0ac4b; } .draft-dropped { fill: #5a4a28; }
.floor-duck { fill: #5e4668; } .floor-hold { fill: #c08bcd; } .score { fill: #f0bf94; }
.curve { stroke: #f0bf94; } .end { stroke: #55bfae; } .interrupt { stroke: #f0938b; }
.drop { stroke: #a3acb1; } }
"""


def drawing(pictures: Sequence[Picture], *, title: str) -> str:
    """Return an SVG of pictures, one below the other, on one scale."""
    longest_ms = max((picture.length_ms for picture in pictures), default=1000)
    scale = (WIDTH - LEFT - RIGHT) / max(longest_ms, 1)
    parts, top = [], 0
    for picture in pictures:
        parts.append(f'<g transform="translate(0 {top})">{_Turn(picture, scale).svg()}</g>')
        top += HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {max(top, HEIGHT)}" '
        f'role="img"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f'<rect class="ground" width="{WIDTH}" height="{max(top, HEIGHT)}"/>'
        f"{''.join(parts)}</svg>\n"
    )


def _height(lane: Lane) -> int:
    return SCORE_HEIGHT if lane == "over" else LANE_HEIGHT


HEIGHT = HEAD_HEIGHT + sum(_height(lane) for lane in LANES) + FOOT_HEIGHT
"""Of one turn."""


class _Turn:
    """One picture."""

    def __init__(self, picture: Picture, scale: float) -> None:
        self._picture = picture
        self._scale = scale
        self._tops: dict[Lane, int] = {}
        top = HEAD_HEIGHT
        for lane in LANES:
            self._tops[lane] = top
            top += _height(lane)
        self._bottom = top

    def svg(self) -> str:
        picture = self._picture
        head = f"{picture.from_s:.1f} s into the call"
        shown = (decided(each) for each in picture.decisions if each.kind in _DECIDED)
        parts = [_text(16, 19, " · ".join((head, *shown))), *self._axis(), *self._lanes()]
        parts += [self._score(judgement) for judgement in picture.judgements]
        parts += [self._decision(decision) for decision in picture.decisions]
        return "".join(parts)

    def _x(self, ms: float) -> float:
        return round(LEFT + ms * self._scale, 1)

    def _axis(self) -> list[str]:
        fits = (tick for tick in TICKS_MS if tick * self._scale >= TICK_WIDTH)
        tick = next(fits, TICKS_MS[-1])
        parts = []
        for ms in range(0, self._picture.length_ms + 1, tick):
            x = self._x(ms)
            parts.append(
                f'<line class="grid" x1="{x}" x2="{x}" y1="{HEAD_HEIGHT}" y2="{self._bottom}"/>'
            )
            parts.append(_text(x, self._bottom + 16, f"{ms} ms" if ms else "0", "soft", "middle"))
        return parts

    def _lanes(self) -> list[str]:
        parts = []
        for lane, top in self._tops.items():
            height = _height(lane)
            parts.append(_text(16, top + height / 2 + 4, _TITLES[lane], "soft"))
            parts.append(
                f'<line class="line" x1="{LEFT}" x2="{self._x(self._picture.length_ms)}" '
                f'y1="{top + height - 1}" y2="{top + height - 1}"/>'
            )
        for span in self._picture.spans:
            top = self._tops[span.lane] + 5
            x, to_x = self._x(span.from_ms), self._x(span.to_ms)
            said = f"{span.kind}, {span.to_ms - span.from_ms} ms"
            said += f": {span.reason}" if span.reason else ""
            parts.append(
                f'<rect class="{span.lane}-{span.kind}" x="{x}" y="{top}" rx="2" '
                f'width="{max(1.0, round(to_x - x, 1))}" height="{LANE_HEIGHT - 11}">'
                f"<title>{escape(said)}</title></rect>"
            )
        for _, judgements in groupby(self._picture.judgements, lambda each: each.pause):
            points = " ".join(f"{self._x(each.at_ms)},{self._y(each)}" for each in judgements)
            parts.append(f'<polyline class="curve" points="{points}"/>')
        return parts

    def _y(self, judgement: Judgement) -> float:
        return round(self._tops["over"] + 6 + (1 - judgement.probability) * (SCORE_HEIGHT - 14), 1)

    def _score(self, judgement: Judgement) -> str:
        return (
            f'<circle class="score" r="3" cx="{self._x(judgement.at_ms)}" '
            f'cy="{self._y(judgement)}"><title>{escape(judged(judgement))}</title></circle>'
        )

    def _decision(self, decision: Decision) -> str:
        if decision.kind not in _DECIDED:
            return ""
        x = self._x(decision.at_ms)
        return (
            f'<line class="{decision.kind}" stroke-width="2" x1="{x}" x2="{x}" y1="{HEAD_HEIGHT}" '
            f'y2="{self._bottom}"><title>{escape(decided(decision))}</title></line>'
        )


_DECIDED = {"end": "over", "interrupt": "the agent yields", "drop": "no turn"}


def decided(decision: Decision) -> str:
    """Say in words what was decided, and why."""
    said = _DECIDED[decision.kind]
    if decision.silence_ms is not None:
        said += f" after {decision.silence_ms} ms of silence"
    if decision.probability is not None:
        said += f", probability {decision.probability:.2f}"
    return said + (f" ({decision.reason})" if decision.reason else "")


def judged(judgement: Judgement) -> str:
    """Say in words how likely it was that a turn was over, and from what."""
    parts = (("sound", judgement.sound), ("words", judgement.words), ("habit", judgement.habit))
    inputs = ", ".join(f"{name} {value:.2f}" for name, value in parts if value is not None)
    said = f"over {judgement.probability:.2f} at {judgement.at_ms} ms"
    return f"{said} (from {inputs}); would end after {judgement.needed_ms} ms of silence"


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    known = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{known}>{escape(text)}</text>'
