"""Every language the whole way: real frontends, a small random RoBERTa, small random models."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from tests.tts.gpt_sovits.made import add_voice
from tests.tts.gpt_sovits.test_engine import pieces, samples
from tests.tts.voices.tiny import save_roberta
from tts.config import GptSovitsConfig
from tts.gpt_sovits.engine import GptSovitsEngine
from tts.gpt_sovits.loading import Wanted
from tts.pretrained import official
from tts.text.spans import words
from tts.types import SynthesisRequest

pytestmark = pytest.mark.golden

TEXTS = {
    "en": "Good morning, it will be warm tomorrow.",
    "zh": "早上好，这是我的声音。",
    "ja": "おはようございます、私の声です。",
    "ko": "안녕하세요, 제 목소리입니다.",
    "yue": "早晨，呢個係我把聲。",
}
LATIN = {"zh": "我的 voice 好。", "ja": "私の voice です。"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GptSovitsEngine]:
    root = tmp_path_factory.mktemp("house")
    add_voice(root / "voices", "ann")
    add_voice(root / "voices", "eve", t2s="v1", sovits="v1", languages=("zh", "en", "ja"))
    save_roberta(root / "pretrained" / official.ROBERTA)
    threads = torch.get_num_threads()
    engine = GptSovitsEngine(
        GptSovitsConfig(voices_dir=root / "voices", pretrained_dir=root / "pretrained", threads=1),
        streams=1,
    )
    yield engine
    engine.close()
    torch.set_num_threads(threads)


def wanted(running: GptSovitsEngine, voice: str, language: str) -> Wanted:
    return Wanted.of(running._entries[voice], language)


def spoken(running: GptSovitsEngine, text: str, language: str, voice: str = "ann") -> None:
    request = SynthesisRequest(text, voice, language)
    parts = pieces(running, request)
    marks = [mark for part in parts for mark in part.marks]
    assert [text[m.text_start : m.text_end] for m in marks] == [s.of(text) for s in words(text)]
    assert sum(len(part.samples) for part in parts) > 0.3 * 32000


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_is_spoken(running: GptSovitsEngine, language: str) -> None:
    assert language in running.voices[0].languages
    spoken(running, TEXTS[language], language)


@pytest.mark.parametrize("language", LATIN)
def test_english_words_stand_in_any_text(running: GptSovitsEngine, language: str) -> None:
    spoken(running, LATIN[language], language)


@pytest.mark.parametrize("language", ["zh", "en", "ja"])
def test_a_voice_of_the_first_version_speaks(running: GptSovitsEngine, language: str) -> None:
    spoken(running, TEXTS[language], language, "eve")


def test_the_meaning_of_chinese_is_heard(running: GptSovitsEngine) -> None:
    request = SynthesisRequest("好的。", "ann", "zh")
    with running._cache.lease(wanted(running, "ann", "zh")) as lease:
        lease.loading.result(60)
        voice = lease.voice
        _, phones, features = voice.read("好的。", "zh")
        assert features.shape == (1, voice.models.t2s.model.spec.bert, phones.shape[1])
        assert features.abs().sum() > 0
        _, _, none = voice.read("Good.", "en")
        assert none.abs().sum() == 0
    first = samples(running, request)
    assert np.array_equal(samples(running, request), first)


def test_one_roberta_serves_all_voices(running: GptSovitsEngine) -> None:
    with (
        running._cache.lease(wanted(running, "ann", "zh")) as ann,
        running._cache.lease(wanted(running, "eve", "zh")) as eve,
    ):
        meanings = [lease.loading.result(60).meaning for lease in (ann, eve)]
    assert meanings[0].__self__ is meanings[1].__self__


def test_english_takes_no_roberta(running: GptSovitsEngine) -> None:
    with running._cache.lease(wanted(running, "ann", "en")) as lease:
        assert lease.loading.result(60).meaning is None
