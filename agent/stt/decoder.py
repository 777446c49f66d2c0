"""One greedy pass of a Whisper model over one window: samples in, text and evidence out.

Knows nothing of calls, lanes or what is believable: `agent.stt.guard` judges the evidence.
Blocking; may be called from as many threads at once as it was given workers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import Segment as Heard
from faster_whisper.transcribe import TranscriptionInfo, get_suppressed_tokens
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
FULL_WINDOW_S = 30.0
_SECONDS_PER_TIMESTAMP = 0.02
_MOST_FRAMES = 3000
_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_MOST_TOKENS = 224  # half of the model's context, as trained


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of text between two timestamps of the model, which are coarse on short audio."""

    start_s: float
    text: str
    """With the space that words begin with in languages that have spaces."""
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one pass heard, and how sure it was."""

    segments: tuple[Segment, ...]
    mean_logprob: float
    """Mean log probability of a token, the end included."""
    no_speech: float
    """Probability of the model's own "no speech" token."""
    cut_short: bool
    """The token limit ended it, not the model."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a recording is to be transcribed."""

    language: str | None = None
    """ISO 639-1; None: as the model hears it."""
    prompt: str = ""
    """Text in the style and with the names that are expected."""
    temperature: float | None = None
    """None: 0, and more where what was heard is not to be believed."""
    words: bool = False
    """Whether each word gets its times."""


class WhisperDecoder:
    """A loaded model.  `audio` is mono 16 kHz [N] in -1..1, at most 30 s long."""

    def __init__(
        self, folder: Path, *, device: str, compute_type: str, threads: int, workers: int
    ) -> None:
        """`workers` passes at once, which share the weights, on `threads` CPU threads each."""
        self._whisper = WhisperModel(
            str(folder),
            device=device,
            compute_type=compute_type,
            cpu_threads=threads,
            num_workers=workers,
        )
        self._tokenizers: dict[str, Tokenizer] = {}

    @property
    def multilingual(self) -> bool:
        """Whether the model knows more than English."""
        return bool(self._whisper.model.is_multilingual)

    def language_for(self, language: str) -> str:
        """The language it listens for when asked for `language`.

        English-only models know one; the smaller multilingual ones hear Cantonese as Chinese.
        """
        if not self.multilingual:
            return "en"
        known = self._whisper.hf_tokenizer.token_to_id(f"<|{language}|>") is not None
        return "zh" if language == "yue" and not known else language

    def decode(
        self,
        audio: NDArray[np.float32],
        *,
        language: str,
        window_s: float = FULL_WINDOW_S,
        max_tokens: int = _MOST_TOKENS,
    ) -> Decoded:
        """Transcribe the audio, padded with silence to `window_s`.

        Raises ValueError for a language that Whisper has no name for.
        """
        tokenizer = self._tokenizer(language)
        start = list(tokenizer.sot_sequence)
        encoded = self._whisper.encode(self._features(audio, window_s))
        result = self._whisper.model.generate(
            encoded,
            [start],
            beam_size=1,
            max_length=min(len(start) + max_tokens, self._whisper.max_length),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            max_initial_timestamp_index=50,
        )[0]
        tokens = result.sequences_ids[0]
        return Decoded(
            segments=tuple(_segments(tokens, tokenizer)),
            mean_logprob=float(result.scores[0]) * len(tokens) / (len(tokens) + 1),
            no_speech=float(result.no_speech_prob),
            cut_short=len(tokens) >= max_tokens,
        )

    def long(
        self, audio: NDArray[np.float32], wanted: "Wanted"
    ) -> tuple[TranscriptionInfo, Iterator[Heard]]:
        """Transcribe audio of any length in windows of 30 s, one at each step of the iterator.

        Raises ValueError for a language that Whisper has no name for.
        """
        segments, about = self._whisper.transcribe(
            audio,
            language=self.language_for(wanted.language) if wanted.language else None,
            initial_prompt=wanted.prompt or None,
            temperature=_TEMPERATURES if wanted.temperature is None else wanted.temperature,
            word_timestamps=wanted.words,
            vad_filter=True,
            # What was misheard once would be repeated to the end of the recording.
            condition_on_previous_text=False,
        )
        return about, iter(segments)

    def _features(self, audio: NDArray[np.float32], window_s: float) -> NDArray[np.float32]:
        """Log-mel features [mels, frames] of the audio with silence after it.

        The silence is added to the sound, as in training; zeros added to the features, which is
        what faster-whisper does, are not what silence looks like there.
        """
        samples = max(len(audio), round(window_s * SAMPLE_RATE_HZ))
        padded = np.pad(audio, (0, samples - len(audio)))
        features = self._whisper.feature_extractor(padded, padding=0)
        return np.asarray(features[:, :_MOST_FRAMES], np.float32)

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            self._tokenizers[language] = Tokenizer(
                self._whisper.hf_tokenizer,
                self.multilingual,
                task="transcribe",
                language=language,
            )
        return self._tokenizers[language]


def _segments(tokens: list[int], tokenizer: Tokenizer) -> Iterator[Segment]:
    """Split at timestamps; the last segment may lack its closing one."""
    start_s, words = 0.0, []
    for token in [*tokens, tokenizer.timestamp_begin]:
        if token < tokenizer.eot:
            words.append(token)
        elif token >= tokenizer.timestamp_begin:
            if words:
                yield Segment(start_s, tokenizer.decode(words), tuple(words))
                words = []
            start_s = (token - tokenizer.timestamp_begin) * _SECONDS_PER_TIMESTAMP
