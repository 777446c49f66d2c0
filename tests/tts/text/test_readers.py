"""Which languages can be read with what is installed, without loading any."""

import sys
from importlib.util import find_spec

import pytest

from tts.text import readers

LANGUAGES = ("en", "zh", "ja", "ko", "yue")


@pytest.mark.parametrize("language", LANGUAGES)
def test_with_the_extra_installed_every_language_can_be_read(language: str) -> None:
    before = set(sys.modules)
    readers.check_installed(language)
    loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
    assert loaded & {"jieba", "pypinyin", "pyopenjtalk", "mecab", "ToJyutping", "budoux"} == set()


@pytest.mark.parametrize(
    ("language", "package", "named"),
    [
        ("en", "wordsegment", "'wordsegment'"),
        ("zh", "pypinyin", "'pypinyin'"),
        ("ja", "pyopenjtalk", "'pyopenjtalk-plus'"),
        ("ko", "mecab", "'python-mecab-ko'"),
        ("yue", "ToJyutping", "'ToJyutping'"),
        ("yue", "g2p_en", "'g2p-en'"),
    ],
)
def test_a_missing_package_is_named_with_the_language_and_the_extra(
    monkeypatch: pytest.MonkeyPatch, language: str, package: str, named: str
) -> None:
    monkeypatch.setattr(
        readers, "find_spec", lambda name: None if name == package else find_spec(name)
    )
    with pytest.raises(
        ImportError, match=rf"text in '{language}' needs the package {named}.*\[gpt-sovits\]"
    ):
        readers.check_installed(language)
