"""How long the models of a call take, as distributions, and how far away its caller is.

In: the name of a profile and a source of randomness.  Out: seconds.  Pure.

"gpu" is the issue's: recogniser 50, language model 100, voice 40 ms.  "cpu" is the default stack on
two cores: the medians of the stages in bench/results/conversation-2026-11-21.json.  Times spread
log-normally: with a sigma of 0.25 the 95th percentile is 1.5 times the median, as there.  "instant"
is eot-bench's condition: what is waited for is silence, never a model or a line.
"""

import math
from dataclasses import dataclass
from random import Random

_SIGMA = 0.25


@dataclass(frozen=True, slots=True)
class Spread:
    """A log-normal time."""

    median_ms: float
    sigma: float = _SIGMA

    def draw_s(self, random: Random) -> float:
        """One time, in seconds."""
        return self.median_ms / 1000 * math.exp(self.sigma * random.gauss(0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Latencies:
    """One stack and one line."""

    name: str
    stt: Spread
    """A final transcript, from the question to the text."""
    partial: Spread
    """A transcript made while the caller speaks."""
    score: Spread
    """The turn model's answer."""
    llm: Spread
    """The language model's first clause, from the question."""
    tts: Spread
    """The voice's first packet, from that clause."""
    tokens_per_s: float
    """Speed of the language model after that."""
    audio_x_realtime: float
    """Speed of the voice after that."""
    tool: Spread = Spread(900, 0.6)
    """A tool's answer."""
    up_ms: float = 60.0
    """From the caller's lips to the ear."""
    down_ms: float = 60.0
    """From a frame's leaving to the caller's ear."""

    @property
    def up_s(self) -> float:
        """`up_ms` in seconds."""
        return self.up_ms / 1000

    @property
    def down_s(self) -> float:
        """`down_ms` in seconds."""
        return self.down_ms / 1000


PROFILES = {
    "instant": Latencies(
        "instant",
        stt=Spread(0),
        partial=Spread(0),
        score=Spread(0),
        llm=Spread(0),
        tts=Spread(0),
        tokens_per_s=1000,
        audio_x_realtime=100,
        up_ms=0,
        down_ms=0,
    ),
    "gpu": Latencies(
        "gpu",
        stt=Spread(50),
        partial=Spread(50),
        score=Spread(30),
        llm=Spread(100),
        tts=Spread(40),
        tokens_per_s=80,
        audio_x_realtime=20,
    ),
    "cpu": Latencies(
        "cpu",
        stt=Spread(250),
        partial=Spread(250),
        score=Spread(40),
        llm=Spread(326),
        tts=Spread(56),
        tokens_per_s=60,
        audio_x_realtime=5,
    ),
}
