"""The way from text to phones, with readers that need no package."""

import pytest

from tts.text import readers
from tts.text.frontend import Frontend
from tts.text.mixed.runs import Run
from tts.text.readers import FrontendFiles, Reading


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers that read each character as a phone of its own."""

    def reader(files: FrontendFiles, **_: bool) -> object:
        def read(text: str) -> Reading:
            return Reading(text, list(text))

        return read

    for language in ("english", "chinese", "cantonese", "japanese", "korean"):
        monkeypatch.setattr(readers, language, reader)


def test_phones_that_the_table_lacks_become_the_unknown_one() -> None:
    (spoken,) = Frontend(322).speak("a[b]c!", "en")
    assert spoken.phones == ("a", "UNK", "b", "UNK", "c", "!")
    assert spoken.norm_text == "a[b]c!"


def test_fewer_than_six_phones_get_a_stop_before_them() -> None:
    assert [run.text for run in Frontend(732).speak("abcde", "en")] == [".abcde"]
    assert [run.text for run in Frontend(732).speak("abcdef", "en")] == ["abcdef"]


def test_a_language_the_table_has_no_phones_for_is_a_pause() -> None:
    assert Frontend(322).languages == ("zh", "ja", "en")
    assert Frontend(322).read(Run("ko", "안녕")).norm_text == " "
    assert Frontend(732).read(Run("ko", "안녕")).norm_text == "안녕"


def test_ids_are_the_rows_of_all_runs_in_order() -> None:
    frontend = Frontend(732)
    spoken = [frontend.read(Run("en", "a!")), frontend.read(Run("zh", "，,"))]
    assert frontend.ids(spoken) == [96, 0, 86, 1]
