"""What every side is asked to do, and what it answers.  Plain values; standard library only.

All sides load the same two checkpoint files, and speak an utterance of so many phones after a
reference of so many codes and phones, in so many codes: the files' weights are random, and their
end token is never drawn, so that the counts are exactly these.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Task:
    """One utterance, its voice's files, and the machine's share."""

    version: str
    t2s: str
    """Path of the T2S checkpoint, in upstream's format."""
    sovits: str
    """Path of the SoVITS checkpoint, in upstream's format."""
    source: str
    """Where the side's project is, if it is a checkout; else empty."""
    threads: int
    reference_codes: int
    reference_phones: int
    phones: int
    codes: int
    """Tokens of the utterance, 40 ms each."""
    top_k: int = 15


@dataclass(frozen=True, slots=True)
class Sentence:
    """An utterance, whole."""

    steps_s: list[float]
    """Seconds of each token, from the first, which reads all that came before it."""
    seconds: float
    """From its phones to its last sample."""
    samples: int


@dataclass(frozen=True, slots=True)
class FirstPacket:
    """An utterance up to its first audio."""

    seconds: float
    samples: int


class Side(Protocol):
    """A project with the task's voice in memory."""

    about: str
    """Name and version, for the report."""
    first_packet_way: str
    """What its first packet is, in a few words."""

    def sentence(self) -> Sentence:
        """Speak the utterance."""

    def first_packet(self) -> FirstPacket:
        """Speak the utterance up to its first audio, in the fastest way that the side has."""
