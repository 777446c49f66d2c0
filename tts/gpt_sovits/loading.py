"""Brings voices into memory: weights, references, text frontends, the Chinese RoBERTa.

In: the configuration, and which voice is wanted in which language.  Out: its parts for
`tts.voices.cache`, and the voice made of them.  On the cache's thread: nothing here is stepped by
anybody yet.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

import torch

from tts import checkpoint
from tts.checkpoint import CheckpointError
from tts.config import GptSovitsConfig
from tts.engine.precision import Precision
from tts.engine.t2s_runtime import T2sRuntime
from tts.engine.utterance import MAX_PLACES
from tts.engine.voice import Models, Reference
from tts.errors import CannotSpeak, EngineFailed
from tts.gpt_sovits.catalogue import Entry
from tts.gpt_sovits.voice import LoadedVoice
from tts.models.sovits import Sovits
from tts.models.t2s import T2s
from tts.pretrained import official
from tts.text.frontend import Frontend
from tts.voices.arguments import manner_of, reference_of
from tts.voices.cache import Part
from tts.voices.compiled import CompiledVoice, Prompt
from tts.voices.text_features import LANGUAGE as CHINESE
from tts.voices.text_files import frontend_files

if TYPE_CHECKING:
    from tts.models.bert import Bert

# Makes a frontend load all that it will need.
FIRST_TEXT = {
    "en": "Parleyvoice is ready.",
    "zh": "好的，Parleyvoice。",
    "ja": "はい、Parleyvoice。",
    "ko": "네, Parleyvoice.",
    "yue": "好嘅，Parleyvoice。",
}

References = Mapping[str, Reference]


class Place(TypedDict):
    """A placement as the models' arguments."""

    device: torch.device
    dtype: torch.dtype


@dataclass(frozen=True, slots=True)
class Placement:
    """What the models run on and how precisely, decided once."""

    device: torch.device
    precision: Precision

    @classmethod
    def of(cls, config: GptSovitsConfig) -> "Placement":
        """Raises `EngineFailed` for a GPU that is not there, or that cannot do what is asked."""
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        name = config.device
        if name == "auto":
            name = "cuda" if gpus else "cpu"
        device = torch.device(name)
        if device.type == "cuda" and (device.index or 0) >= gpus:
            raise EngineFailed(
                f"gpt_sovits.device = {config.device!r}: torch sees {gpus} GPUs; "
                '"cpu" and "auto" are always allowed'
            )
        try:
            precision = Precision.of(device, dtype=config.dtype, t2s_dtype=config.t2s_dtype)
        except ValueError as error:
            raise EngineFailed(f"gpt_sovits.{error}") from error
        return cls(device, precision)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the cache is asked for: a voice in one of its states, with all that a language takes."""

    voice_id: str
    state: str
    language: str
    entry: Entry = field(compare=False, repr=False)

    @classmethod
    def of(cls, entry: Entry, language: str = "") -> "Wanted":
        """A voice as the catalogue has it; without a language, in its first."""
        voice = entry.voice
        return cls(voice.id, voice.state, language or voice.languages[0], entry)

    def __str__(self) -> str:
        return f"{self.voice_id}/{self.language}"


class VoiceLoader:
    """See `tts.voices.cache.Loader`."""

    def __init__(self, config: GptSovitsConfig, placement: Placement, *, streams: int) -> None:
        """`streams`: utterances that one model draws tokens of at once, at most."""
        self._precision = precision = placement.precision
        self._streams = streams
        self._place: Place = {"device": placement.device, "dtype": precision.sovits}
        self._files = frontend_files(config)
        self._roberta = config.pretrained_dir / official.ROBERTA

    def parts(self, voice: Wanted, /) -> Sequence[Part]:
        """The models, the references, the frontend and, for Chinese, the RoBERTa."""
        entry, language = voice.entry, voice.language
        value_bytes = self._precision.sovits.itemsize
        t2s_value_bytes = 1 if self._precision.t2s_int8 else self._precision.t2s.itemsize
        t2s, sovits, compiled = entry.t2s, entry.sovits, entry.compiled
        parts = [
            Part(t2s.sha256, t2s.parameters * t2s_value_bytes, partial(self._t2s, t2s.path)),
            Part(
                sovits.sha256, sovits.parameters * value_bytes, partial(self._sovits, sovits.path)
            ),
            Part(
                f"references of {voice.voice_id} as {voice.state}",
                sum(_size_bytes(prompt) for prompt in compiled.prompts.values()),
                partial(self._references, compiled),
            ),
            # Frontends stay for good, outside of the models' memory.
            Part(
                f"text in {language} for {entry.symbols} phones",
                0,
                partial(self._frontend, language, entry.symbols),
            ),
        ]
        if language == CHINESE:
            size_bytes = parameters_of(self._roberta) * value_bytes
            parts.append(Part(official.ROBERTA, size_bytes, self._bert))
        return parts

    def assemble(self, voice: Wanted, parts: Sequence[object], /) -> LoadedVoice:
        """The voice of those parts."""
        entry = voice.entry
        t2s, sovits, references, frontend, *bert = parts
        return LoadedVoice(
            models=Models(cast(T2sRuntime, t2s), cast(Sovits, sovits)),
            references=cast(References, references),
            manner=manner_of(entry.manner),
            frontend=cast(Frontend, frontend),
            meaning=cast("Bert", bert[0]).features if bert else None,
            gain_db=entry.compiled.gain_db,
        )

    def _t2s(self, path: Path) -> T2sRuntime:
        precision, device = self._precision, self._place["device"]
        with _explained(path.name):
            read = checkpoint.read_t2s(path)
            model = T2s.load(
                read.spec,
                read.tensors,
                dtype=precision.t2s,
                device=device,
                int8=precision.t2s_int8,
            )
            runtime = T2sRuntime(model, rows=self._streams, capacity=MAX_PLACES)
            runtime.warm()
            return runtime

    def _sovits(self, path: Path) -> Sovits:
        with _explained(path.name):
            read = checkpoint.read_sovits(path)
            return Sovits.load(read.spec, read.tensors, **self._place)

    def _bert(self) -> "Bert":
        with _explained(official.ROBERTA):
            # Not before a voice speaks Chinese: `transformers` takes seconds to import.
            from tts.models.bert import Bert

            return Bert(self._roberta, **self._place)

    def _frontend(self, language: str, symbols: int) -> Frontend:
        with _explained(f"text in {language!r}"):
            frontend = Frontend(symbols, self._files)
            frontend.speak(FIRST_TEXT[language], language)
            return frontend

    def _references(self, compiled: CompiledVoice) -> References:
        with _explained("references"):
            return {
                emotion: reference_of(prompt, **self._place)
                for emotion, prompt in compiled.prompts.items()
            }


def parameters_of(folder: Path) -> int:
    """How many numbers a BERT folder's model keeps in memory, a few per cent more than there are.

    Raises `CannotSpeak` for a folder that does not say.
    """
    with _explained(folder.name):
        sizes = json.loads((folder / official.CONFIG).read_text(encoding="utf-8"))
        hidden, ffn = int(sizes["hidden_size"]), int(sizes["intermediate_size"])
        embedded = int(sizes["vocab_size"]) + int(sizes["max_position_embeddings"])
        layers = int(sizes["num_hidden_layers"])
        return hidden * (embedded + layers * (4 * hidden + 2 * ffn))


def _size_bytes(prompt: Prompt) -> int:
    arrays = (prompt.codes, prompt.phones, prompt.features, prompt.ge)
    return sum(array.nbytes for array in arrays)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Say what could not be loaded, in an error that callers know."""
    try:
        yield
    except (CheckpointError, ImportError, OSError, ValueError, KeyError, RuntimeError) as error:
        # Other voices may be in memory, or load.
        raise CannotSpeak(f"{what} cannot be loaded: {error}") from error
