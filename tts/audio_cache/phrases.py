"""The phrases that are to be made in advance: a file with a JSON object a line.

In: the file `cache.phrases`.  Out: requests with the lines that they stand in, or a `ConfigError`
that tells what is wrong with which lines.  Whether there is such a voice, the service knows.
Blocking; any thread.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from tts.config import ConfigError, explain
from tts.types import SynthesisRequest

SHOWN_LINES: Final = 10
"""Of a file with many mistakes, so many are told."""


class _Line(BaseModel):
    """The fields of a `SynthesisRequest`, of which three must be there."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    voice: str
    language: str
    speed: float = 1.0
    emotion: str = ""
    marks: list[str] = []
    seed: int | None = None
    top_k: int | None = None
    top_p: float | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None

    def request(self) -> SynthesisRequest:
        """The same as the service takes it."""
        return SynthesisRequest(**{**dict(self), "marks": tuple(self.marks)})


@dataclass(frozen=True, slots=True)
class Phrase:
    """A request that will come."""

    line: int
    """Where it stands in the file, from 1."""
    request: SynthesisRequest


def read_phrases(path: Path) -> tuple[Phrase, ...]:
    """The phrases of a file, in its order.  Raises `ConfigError` naming the file and the lines."""
    try:
        return parse_phrases(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cache.phrases: {path}: {error.strerror}") from error
    except (ConfigError, UnicodeDecodeError) as error:
        raise ConfigError(f"cache.phrases: {path}: {error}") from error


def parse_phrases(text: str) -> tuple[Phrase, ...]:
    """The phrases of a file's text; empty lines are none.  Raises `ConfigError`."""
    phrases: list[Phrase] = []
    problems: list[str] = []
    for number, line in _lines(text):
        try:
            phrases.append(Phrase(number, _Line.model_validate(json.loads(line)).request()))
        except ValidationError as error:
            problems.append(f"line {number}: {'; '.join(explain(error, _Line))}")
        except json.JSONDecodeError as error:
            problems.append(f"line {number}: not JSON: {error.msg} at column {error.colno}")
        except (RecursionError, ValueError) as error:  # nested too deep, or a number of many digits
            problems.append(f"line {number}: not JSON that can be read: {error}")
    if problems:
        more = len(problems) - SHOWN_LINES
        told = [*problems[:SHOWN_LINES], *([f"and {more} more lines"] if more > 0 else [])]
        raise ConfigError("; ".join(told))
    return tuple(phrases)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Not `splitlines`: it also cuts at signs that may stand inside of a JSON string.
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.strip():
            yield number, line
