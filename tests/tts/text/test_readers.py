"""Which languages can be read with what is installed, and how their readers are shared."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import pytest

from tts.text import readers
from tts.text.readers import FrontendFiles

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


def test_a_reader_serves_one_caller_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = [], []

    class Korean:
        def words(self, text: str) -> list[tuple[str, list[str]]]:
            inside.append(text)
            most.append(len(inside))
            time.sleep(0.01)
            inside.remove(text)
            return [(text, [text])]

    monkeypatch.setattr("tts.text.ko.g2p.Korean", Korean)
    read = readers.korean.__wrapped__(FrontendFiles())
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, "abcdefgh"))
    assert found == [(text, [text], None, [(text, 1)]) for text in "abcdefgh"]
    assert max(most) == 1
