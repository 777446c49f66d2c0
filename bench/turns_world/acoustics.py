"""What the ear and its models make of a scripted caller: sound levels, voice, words, scores.

In: utterances and sounds of `bench.turns_world.scripts`.  Out: frames of 20 ms for the real
`agent.turns.vad.VoiceGate`, smart-turn's probabilities, Whisper's transcripts.  Nothing depends on
the order of the questions: all randomness is drawn from the seed and the utterance's id, so that
every turn taker observes the same.  Pure.
"""

from dataclasses import dataclass

from bench.turns_world.scripts import Caller, Sound, Utterance, Word

FRAME_S = 0.02


@dataclass(frozen=True, slots=True)
class Frames:
    """Sound of one source, 20 ms a frame from its first sound on."""

    level_dbfs: tuple[float, ...]
    voice: tuple[float, ...]
    """Silero's probability, were the source alone."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame of the caller's line, as `VoiceGate.step` takes it."""

    level_dbfs: float
    fast: bool
    """webrtcvad hears voice."""
    sure: float | None
    """Silero's probability, in frames in which one of its windows of 32 ms ends."""


def agent_levels_dbfs(words: tuple[Word, ...], seed: int) -> tuple[float, ...]:
    """Loudness of the agent's voice speaking `words`, 20 ms a frame."""
    raise NotImplementedError


class Acoustics:
    """The models' view of one script's caller."""

    def __init__(self, caller: Caller, seed: int) -> None:
        raise NotImplementedError

    def frames(self, source: Utterance | Sound) -> Frames:
        """The sound of a turn or of something else on the caller's line."""
        raise NotImplementedError

    def turn_score(self, speech: Utterance | None, spoken_s: float, silence_s: float) -> float:
        """smart-turn's probability that the turn is over.

        `spoken_s`: where in the utterance the speech stopped; `silence_s`: silence heard since.
        Without speech (a cough) it is drawn as such.
        """
        raise NotImplementedError

    def transcript(self, speech: Utterance, from_s: float, to_s: float) -> str:
        """Whisper's text of the words between two times of an utterance, with its errors."""
        raise NotImplementedError

    def noise_transcript(self, sound: Sound) -> str:
        """Whisper's text of a sound without words: mostly nothing, now and then a phantom."""
        raise NotImplementedError


class Microphone:
    """The caller's line: mixes what sounds at once, one frame a step."""

    def __init__(self, caller: Caller, seed: int) -> None:
        raise NotImplementedError

    def begin(self, frames: Frames, start_s: float) -> None:
        """Let a source sound from `start_s` on."""
        raise NotImplementedError

    def step(self, agent_dbfs: float) -> Heard:
        """The next frame; `agent_dbfs` is what leaves the agent in it, for the echo."""
        raise NotImplementedError
