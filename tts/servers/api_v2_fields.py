"""What clients of GPT-SoVITS' api_v2 send, and what it means here.

In: the fields of a request as api_v2.py of RVC-Boss/GPT-SoVITS takes them (as of August 2026).
Out: `TtsFields`, checked as that file checks them and with its words; text and language as ours.
Pure; any thread.
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tts.text.cutting import METHODS, cut
from tts.text.language_guess import guess
from tts.types import SynthesisRequest, Voice

LANGUAGES = (
    *("auto", "auto_yue", "en", "zh", "ja", "yue", "ko"),
    *("all_zh", "all_ja", "all_yue", "all_ko"),
)
"""Those of upstream's version 2 and later."""
MEDIA_TYPES = ("wav", "raw", "ogg", "aac")
MAX_TOP_K = 1025
"""There are no more tokens."""


def _one_of(values: Iterable[str | int]) -> Any:
    return Field(json_schema_extra={"enum": list(values)})


_NOT_EMPTY = Field(json_schema_extra={"minLength": 1})
_LANGUAGE = _one_of(LANGUAGES)


class TtsFields(BaseModel):
    """A request to speak.  Fields that are not listed are ignored; null is as if not given."""

    # What `problem` refuses in upstream's words is told here, not checked.
    model_config = ConfigDict(
        use_attribute_docstrings=True,
        extra="ignore",
        json_schema_extra={"required": ["text", "text_lang", "ref_audio_path", "prompt_lang"]},
    )

    text: Annotated[str, _NOT_EMPTY] = ""
    """What to say; `limits.max_text_chars` bounds it."""
    text_lang: Annotated[str, _LANGUAGE] = ""
    """Of the text; capitals are allowed."""
    ref_audio_path: Annotated[str, _NOT_EMPTY] = ""
    """A voice, "anna" or "anna/happy"; a path that ends like a voice's clip; or the name of a file
    in `api_v2.clips_dir`."""
    aux_ref_audio_paths: list[Any] = []
    """Without effect: a voice has its own further clips."""
    prompt_lang: Annotated[str, _LANGUAGE] = ""
    """The language of `prompt_text`, used for a clip that is no voice's."""
    prompt_text: str = ""
    """What is said in a clip that is no voice's."""
    top_k: int = 15
    """This and the next five: where they are not given, a voice speaks in its own manner."""
    top_p: float = 1
    temperature: float = 1
    repetition_penalty: float = 1.35
    speed_factor: float = 1.0
    """0.5 to 2."""
    seed: int = -1
    """-1: another one each time, and the audio is not kept."""
    text_split_method: Annotated[str, _one_of(METHODS)] = "cut5"
    """cut0 to cut5: where the text is cut into parts that are spoken one by one."""
    media_type: Annotated[str, _one_of(MEDIA_TYPES)] = "wav"
    """wav, raw (16-bit samples, no header), ogg (Opus), aac (ADTS)."""
    streaming_mode: Annotated[bool | int, _one_of((False, True, 0, 1, 2, 3))] = False
    """0 or false: all at once; 1, 2, 3 or true: while it is made."""
    batch_size: int = 1
    """This and what follows are without effect."""
    batch_threshold: float = 0.75
    split_bucket: bool = True
    fragment_interval: float = 0.3
    parallel_infer: bool = True
    sample_steps: int = 32
    super_sampling: bool = False
    overlap_length: int = 2
    min_chunk_length: int = 16

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_given(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        return {name: value for name, value in values.items() if value is not None}

    @property
    def streams(self) -> bool:
        """Whether the audio is wanted while it is made."""
        return int(self.streaming_mode) != 0


def problem(fields: TtsFields) -> str:
    """What is wrong with a request, in upstream's words and its order; empty: nothing."""
    if not fields.ref_audio_path:
        return "ref_audio_path is required"
    if not fields.text:
        return "text is required"
    for name in ("text_lang", "prompt_lang"):
        value: str = getattr(fields, name)
        if not value:
            return f"{name} is required"
        if value.lower() not in LANGUAGES:
            return f"{name}: {value[:40]} is not supported; there are {', '.join(LANGUAGES)}"
    if fields.media_type not in MEDIA_TYPES:
        return f"media_type: {fields.media_type[:40]} is not supported"
    if fields.text_split_method not in METHODS:
        return f"text_split_method:{fields.text_split_method[:40]} is not supported"
    if int(fields.streaming_mode) not in (0, 1, 2, 3):
        return "the value of streaming_mode must be 0, 1, 2, 3(int) or true/false(bool)"
    return ""


def language_of(code: str, text: str, languages: tuple[str, ...]) -> str:
    """Upstream's code of a language as ours; "auto" by the text's script.

    Upstream's "zh" mixes Chinese with English where "all_zh" does not; here each voice reads what
    is written in its language's script and in Latin letters.
    """
    code = code.lower()
    if code == "auto":
        return guess(text, languages)
    if code == "auto_yue":
        found = guess(text, languages)
        return "yue" if found == "zh" and "yue" in languages else found
    return code.removeprefix("all_")


def to_request(
    fields: TtsFields, voice: Voice, emotion: str, *, max_text_chars: int
) -> SynthesisRequest:
    """A request in our words; limits are the service's.

    The parts that upstream's method makes of the text are joined by line breaks, which end a
    sentence here; a text that would be too long with them stays as it is.  A light voice takes no
    sampling.
    """
    language = language_of(fields.text_lang, fields.text, voice.languages)
    parts = cut(fields.text, language=language, method=fields.text_split_method)
    text = "\n".join(part.strip() for part in parts)
    given = fields.model_fields_set
    sampling: dict[str, Any] = {}
    if voice.engine == "gpt-sovits":
        names = ("top_k", "top_p", "temperature", "repetition_penalty")
        sampling = {name: getattr(fields, name) for name in names if name in given}
        if "top_k" in sampling:
            sampling["top_k"] = min(sampling["top_k"], MAX_TOP_K)
        sampling["seed"] = secrets.randbelow(2**32) if fields.seed == -1 else fields.seed
    return SynthesisRequest(
        text=text if 0 < len(text) <= max_text_chars else fields.text,
        voice=voice.id,
        language=language,
        speed=fields.speed_factor,
        emotion=emotion,
        **sampling,
    )
