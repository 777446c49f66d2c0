"""Text to the phones of a GPT-SoVITS model.

In: text, a language code and the size of the model's phone table.  Out: runs of one language each,
with what is said, its phones, and how many phones belong to each word of it; for Chinese and
Cantonese to each character (the text features of the model are spread by it).  Knows nothing of
models or audio.  Each language loads at its first use; after that no file is read.  One caller at
a time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain

from tts.text import readers
from tts.text.mixed.detector import Detector, load
from tts.text.mixed.runs import Run, runs
from tts.text.readers import FrontendFiles, Reader
from tts.text.symbols import SIZES, symbols

# With fewer phones a model babbles: a stop before the text steadies it.
_FEWEST_PHONES = 6


@dataclass(frozen=True, slots=True)
class Spoken:
    """A run of one language as it is said."""

    language: str
    text: str
    norm_text: str
    """What is said; for Chinese and Cantonese one character for each entry of `word2ph`."""
    phones: tuple[str, ...]
    word2ph: tuple[int, ...] | None
    words: tuple[tuple[str, int], ...] | None = None
    """What is said word by word, marks too, and how many of `phones` belong to each, in order.
    None where it is not known."""


class Frontend:
    """The frontends of all languages for one phone table: 322 rows (v1) or 732 (later).

    Raises `ValueError` for another size; what loading a language raises stands in
    `tts.text.readers`, and comes at the first text in that language.
    """

    def __init__(self, size: int, files: FrontendFiles | None = None) -> None:
        self._symbols = symbols(size)
        self._files = files or FrontendFiles()
        first_version = size == SIZES[0]
        self._loaders: dict[str, Callable[[FrontendFiles], Reader]] = {
            "zh": partial(readers.chinese, joins_er=not first_version),
            "ja": readers.japanese,
            "en": readers.english,
        }
        if not first_version:
            self._loaders |= {"ko": readers.korean, "yue": readers.cantonese}

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that this table has phones for."""
        return tuple(self._loaders)

    def speak(self, text: str, language: str) -> list[Spoken]:
        """The runs of a text; fewer than six phones in all get a stop before the text.

        Raises `ValueError` for a code that is not in `tts.text.mixed.runs.LANGUAGES`.
        """
        spoken = [self.read(run) for run in runs(text, language, self._detector)]
        if sum(len(run.phones) for run in spoken) < _FEWEST_PHONES:
            spoken = [self.read(run) for run in runs("." + text, language, self._detector)]
        return spoken

    def read(self, run: Run) -> Spoken:
        """One run; a language that this table has no phones for is a pause."""
        known = run.language in self._loaders
        reader = self._loaders[run.language if known else "en"](self._files)
        reading = reader(run.text if known else " ")
        return Spoken(
            run.language,
            run.text,
            reading.said,
            tuple(self._symbols.known(reading.phones)),
            None if reading.counts is None else tuple(reading.counts),
            None if reading.words is None else tuple(reading.words),
        )

    def ids(self, spoken: Sequence[Spoken]) -> list[int]:
        """Rows of the phone table for runs one after another."""
        return self._symbols.ids(chain.from_iterable(run.phones for run in spoken))

    @cached_property
    def _detector(self) -> Detector:
        return load(self._files.language_model)
