"""A voice is compiled as upstream prepares it at every request: here once, kept, and reproducible.

The weights are small and random, since no trained ones can be had here: what is compared is the
arithmetic, not how it sounds.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from tests.tts.babble import babble
from tests.tts.models.golden_sovits import CPU, GOLDEN, small
from tests.tts.voices.tiny import CLIP_RATE_HZ, TEXTS, TinyVoices, save_hubert, tiny_voices
from tts import checkpoint
from tts.audio.fbank import fbank
from tts.audio.loudness import TARGET_LUFS, measure_lufs
from tts.audio.reference import for_content, for_speaker, for_spectrogram
from tts.audio.spectrogram import spectrogram
from tts.engine.t2s_runtime import T2sRuntime
from tts.engine.utterance import MAX_PLACES, whole
from tts.engine.voice import Models
from tts.models.bert import Bert
from tts.models.hubert import Hubert
from tts.models.sovits import Sovits
from tts.models.speaker import SpeakerEncoder
from tts.models.t2s import T2s
from tts.pretrained import official
from tts.text.frontend import Frontend
from tts.text.readers import FrontendFiles
from tts.voices import compiling
from tts.voices.arguments import manner_of, reference_of
from tts.voices.compiled import FILE_NAME, CompiledVoice, Prompt, load_compiled, weights_path
from tts.voices.compiling import compile_voice
from tts.voices.errors import ClipRefused, MissingPretrained, VoiceError
from tts.voices.manifest import FILE_NAME as MANIFEST
from tts.voices.manifest import load_manifest
from tts.voices.store import State, look_at
from tts.voices.text_features import text_features

pytestmark = pytest.mark.golden

SINGLE = torch.float32
Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def pretrained_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_voices(tmp_path_factory.mktemp("v2")).pretrained_dir


@pytest.fixture
def voices(tmp_path: Path, pretrained_dir: Path) -> TinyVoices:
    """No voices yet, and pretrained files that nobody changes."""
    (tmp_path / "voices").mkdir()
    return TinyVoices(tmp_path / "voices", pretrained_dir)


@pytest.fixture
def own(tmp_path: Path) -> TinyVoices:
    """The same with pretrained files of its own."""
    return tiny_voices(tmp_path)


def compiled(folder: Path, voices: TinyVoices) -> CompiledVoice:
    return compile_voice(folder, pretrained_dir=voices.pretrained_dir)


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / MANIFEST).read_text(encoding="utf-8")
    assert old in text
    (folder / MANIFEST).write_text(text.replace(old, new), encoding="utf-8")


def heard(folder: Path, name: str = "neutral.wav") -> Samples:
    samples, rate_hz = soundfile.read(folder / name, dtype="float32")
    assert rate_hz == CLIP_RATE_HZ
    return samples


def codes_of(samples: Samples, voices: TinyVoices, sovits: Sovits) -> NDArray[np.int64]:
    """Upstream's way to a prompt's codes, step by step."""
    hubert = Hubert(voices.pretrained_dir / official.HUBERT, dtype=SINGLE, device=CPU)
    content = hubert.features(torch.from_numpy(for_content(samples, CLIP_RATE_HZ))[None])
    return sovits.quantise(content)[0].numpy()


def speaker_of(samples: Samples, voices: TinyVoices, sovits: Sovits) -> NDArray[np.float32]:
    """The same for the speaker vector of one clip."""
    shown = spectrogram(for_spectrogram(samples, CLIP_RATE_HZ, 32000))
    embeddings = []
    if sovits.spec.speaker:
        state = checkpoint.read_state(voices.pretrained_dir / official.SPEAKER)
        network = SpeakerEncoder.load(state, dtype=SINGLE, device=CPU)
        energies = fbank(for_speaker(samples, CLIP_RATE_HZ, 32000))
        embeddings = [network(torch.from_numpy(energies)[None])]
    return sovits.speaker_vector([torch.from_numpy(shown)[None]], embeddings)[0, :, 0].numpy()


@pytest.mark.parametrize(
    ("version", "language"),
    [("v1", "ja"), ("v2", "en"), ("v2", "yue"), ("v2Pro", "en"), ("v2ProPlus", "ko")],
)
def test_a_prompt_is_what_the_networks_say_of_its_clip_and_text(
    tmp_path: Path, version: str, language: str
) -> None:
    voices, sovits = tiny_voices(tmp_path, version=version), small(version)
    folder = voices.add(version=version, language=language)
    voice = compiled(folder, voices)
    assert list(voice.prompts) == ["neutral"]
    prompt = voice.prompts["neutral"]
    samples = heard(folder)
    # 4 s and a tail of 0.6 s, as upstream appends it, at 25 codes a second.
    assert len(prompt.codes) == 114
    assert np.array_equal(prompt.codes, codes_of(samples, voices, sovits))
    assert np.array_equal(prompt.ge, speaker_of(samples, voices, sovits))
    frontend = Frontend(sovits.spec.symbols)
    spoken = frontend.speak(TEXTS[language], language)
    assert prompt.phones.tolist() == frontend.ids(spoken)
    assert prompt.features.shape == (1024, len(prompt.phones))
    assert not prompt.features.any()
    assert voice.sample_rate_hz == 32000
    assert voice.languages[0] == language
    assert len(voice.languages) == len(set(voice.languages)) == (3 if version == "v1" else 5)


def test_chinese_phones_have_the_features_of_their_characters(voices: TinyVoices) -> None:
    prompt = compiled(voices.add(language="zh"), voices).prompts["neutral"]
    bert = Bert(voices.pretrained_dir / official.ROBERTA, dtype=SINGLE, device=CPU)
    frontend = Frontend(732)
    spoken = frontend.speak(TEXTS["zh"], "zh")
    expected = text_features(spoken, bert.features, width=1024, device=CPU)
    assert np.array_equal(prompt.features, expected.numpy())
    assert np.abs(prompt.features).max(axis=0).min() > 0


def test_a_text_without_a_mark_at_its_end_gets_one(voices: TinyVoices) -> None:
    folder = voices.add()
    ended = compiled(folder, voices).prompts["neutral"].phones
    edit(folder, TEXTS["en"], TEXTS["en"].rstrip("."))
    assert np.array_equal(compiled(folder, voices).prompts["neutral"].phones, ended)


def test_more_clips_of_an_emotion_are_averaged_and_leave_the_codes_alone(
    voices: TinyVoices,
) -> None:
    folder, sovits = voices.add(emotions=("neutral", "happy")), small("v2")
    soundfile.write(folder / "more.wav", babble(5.0, CLIP_RATE_HZ, seed=5), CLIP_RATE_HZ)
    edit(folder, 'audio = "happy.wav"', 'audio = "happy.wav"\nalso = ["more.wav"]')
    prompts = compiled(folder, voices).prompts
    assert list(prompts) == ["neutral", "happy"]
    both = [speaker_of(heard(folder, name), voices, sovits) for name in ("happy.wav", "more.wav")]
    np.testing.assert_allclose(prompts["happy"].ge, np.mean(both, axis=0), rtol=0, atol=1e-6)
    assert np.array_equal(
        prompts["happy"].codes, codes_of(heard(folder, "happy.wav"), voices, sovits)
    )


def test_noise_is_taken_out_before_anything_listens(voices: TinyVoices) -> None:
    folder = voices.add()
    plain = compiled(folder, voices).prompts["neutral"]
    edit(folder, 'name = "Tiny tiny"', 'name = "Tiny tiny"\ndenoise = true')
    clean = compiled(folder, voices).prompts["neutral"]
    assert not np.array_equal(plain.ge, clean.ge)
    assert np.array_equal(plain.phones, clean.phones)


def speak(voice: CompiledVoice, folder: Path) -> Samples:
    """What its loudness was measured by."""
    paths = [weights_path(folder.parent, one) for one in (voice.t2s_sha256, voice.sovits_sha256)]
    t2s, sovits = checkpoint.read_t2s(paths[0]), checkpoint.read_sovits(paths[1])
    runtime = T2sRuntime(
        T2s.load(t2s.spec, t2s.tensors, dtype=SINGLE, device=CPU), rows=1, capacity=MAX_PLACES
    )
    speaker = Sovits.load(sovits.spec, sovits.tensors, dtype=SINGLE, device=CPU)
    models = Models(runtime, speaker)
    frontend = Frontend(sovits.spec.symbols)
    reference = reference_of(next(iter(voice.prompts.values())), device=CPU, dtype=SINGLE)
    parts = []
    for sentence in compiling._SENTENCES["en"]:
        spoken = frontend.speak(sentence, "en")
        features = text_features(spoken, None, width=1024, device=CPU)[None]
        phones = torch.tensor([frontend.ids(spoken)])
        manner = manner_of(load_manifest(folder).manner)
        parts.append(whole(models, reference, phones, features, manner))
    return np.concatenate(parts)


def test_the_gain_brings_the_voice_to_the_loudness_that_is_wanted(voices: TinyVoices) -> None:
    folder = voices.add(settings="[manner]\ntop_k = 5\nseed = 3\n")
    voice = compiled(folder, voices)
    amplified = speak(voice, folder) * np.float32(10 ** (voice.gain_db / 20))
    assert measure_lufs(amplified, 32000) == pytest.approx(TARGET_LUFS, abs=0.1)
    edit(folder, "[manner]", "[loudness]\ntarget_lufs = -26.0\n[manner]")
    assert compiled(folder, voices).gain_db == pytest.approx(voice.gain_db - 6)


def same(one: CompiledVoice, other: CompiledVoice) -> bool:
    """Whether everything in two voices is equal."""
    arrays = [
        np.array_equal(getattr(prompt, part), getattr(other.prompts[emotion], part))
        for emotion, prompt in one.prompts.items()
        for part in Prompt.__slots__
    ]
    alike = list(one.prompts) == list(other.prompts)
    return alike and all(arrays) and replace(one, prompts={}) == replace(other, prompts={})


def test_what_was_saved_is_what_was_returned_and_comes_again(voices: TinyVoices) -> None:
    folder = voices.add(emotions=("neutral", "happy"))
    voice = compiled(folder, voices)
    assert same(load_compiled(folder / FILE_NAME), voice)
    assert same(compiled(folder, voices), voice)
    assert look_at(folder, voices.pretrained_dir).state is State.READY
    names = {path.name for path in folder.iterdir()}
    assert names == {
        FILE_NAME,
        MANIFEST,
        "neutral.wav",
        "happy.wav",
        "t2s_v2.ckpt",
        "sovits_v2.pth",
    }


def test_voices_of_the_same_weights_share_the_converted_files(voices: TinyVoices) -> None:
    ada, bob = (compiled(voices.add(name), voices) for name in ("ada", "bob"))
    assert (ada.t2s_sha256, ada.sovits_sha256) == (bob.t2s_sha256, bob.sovits_sha256)
    kept = [path.stem for path in (voices.voices_dir / ".weights").iterdir()]
    assert sorted(kept) == sorted([ada.t2s_sha256, ada.sovits_sha256])
    original = checkpoint.read_sovits(GOLDEN / "ckpt" / "sovits_v2.pth")
    converted = checkpoint.read_sovits(weights_path(voices.voices_dir, ada.sovits_sha256))
    assert converted.spec == original.spec


def test_official_weights_are_found_by_name(own: TinyVoices) -> None:
    folder = own.add()
    for kind, name in (("t2s", "t2s_v2.ckpt"), ("sovits", "sovits_v2.pth")):
        path = own.pretrained_dir / getattr(official.WEIGHTS["v2"], kind)
        path.parent.mkdir(exist_ok=True)
        (folder / name).rename(path)
        edit(folder, f'"{name}"', '"official:v2"')
    assert compiled(folder, own).sample_rate_hz == 32000


def test_what_is_done_next_is_reported(voices: TinyVoices) -> None:
    stages: list[str] = []
    compile_voice(voices.add(), pretrained_dir=voices.pretrained_dir, report=stages.append)
    assert stages == [
        "checking the clips",
        "converting the weights",
        "reading the texts",
        "listening to the clips",
        "measuring the loudness",
    ]


@pytest.mark.parametrize(
    ("version", "language", "gone", "named"),
    [
        ("v2", "en", f"{official.HUBERT}/config.json", f"{official.HUBERT}/config.json"),
        ("v2", "en", f"{official.HUBERT}/model.safetensors", "pytorch_model.bin"),
        ("v2Pro", "en", official.SPEAKER, official.SPEAKER),
        ("v2", "zh", f"{official.ROBERTA}/config.json", f"{official.ROBERTA}/config.json"),
    ],
)
def test_an_official_file_that_is_missing_is_named_with_the_way_to_get_it(
    tmp_path: Path, version: str, language: str, gone: str, named: str
) -> None:
    voices = tiny_voices(tmp_path, version=version)
    (voices.pretrained_dir / gone).unlink()
    with pytest.raises(MissingPretrained) as caught:
        compiled(voices.add(version=version, language=language), voices)
    assert str(caught.value).startswith(f"{voices.pretrained_dir}/")
    assert f"{named}: no such file; `parley voices pull`" in str(caught.value)


def test_networks_that_a_voice_does_not_need_may_be_missing(own: TinyVoices) -> None:
    (own.pretrained_dir / official.SPEAKER).unlink()
    (own.pretrained_dir / official.ROBERTA / "config.json").unlink()
    assert list(compiled(own.add(), own).prompts) == ["neutral"]


def test_official_weights_that_are_missing_are_named(voices: TinyVoices) -> None:
    folder = voices.add()
    edit(folder, '"t2s_v2.ckpt"', '"official:v2Pro"')
    with pytest.raises(MissingPretrained, match=r"s1v3\.ckpt: no such file"):
        compiled(folder, voices)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"t2s_v2.ckpt"', '"none.ckpt"', r"weights.t2s: .*none\.ckpt cannot be read: No such file"),
        ('"t2s_v2.ckpt"', '"neutral.wav"', r"weights.t2s: neutral\.wav: "),
        ('"t2s_v2.ckpt"', '"sovits_v2.pth"', "one of these is of the other kind"),
        ('"en"', '"fr"', r"reference.0.language = 'fr'"),
    ],
)
def test_what_is_wrong_with_a_voice_is_named(
    voices: TinyVoices, old: str, new: str, reason: str
) -> None:
    folder = voices.add()
    edit(folder, old, new)
    with pytest.raises(VoiceError, match=reason):
        compiled(folder, voices)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ('language = "ko"', r"reference neutral: language = 'ko': .* v1 speak zh, en, ja"),
        ('languages = ["ja", "yue"]', r"languages\.1 = 'yue': .* v1 speak zh, en, ja"),
    ],
)
def test_a_language_that_the_weights_do_not_speak_is_refused(
    tmp_path: Path, settings: str, reason: str
) -> None:
    voices = tiny_voices(tmp_path, version="v1")
    folder = voices.add(version="v1", language="ja")
    if settings.startswith("languages"):
        edit(folder, 'name = "Tiny tiny"', f'name = "Tiny tiny"\n{settings}')
    else:
        edit(folder, 'language = "ja"', settings)
    with pytest.raises(VoiceError, match=reason):
        compiled(folder, voices)


def test_weights_of_different_phone_tables_are_refused(voices: TinyVoices) -> None:
    folder = voices.add()
    (folder / "t2s_v2.ckpt").write_bytes((GOLDEN / "ckpt" / "t2s_v1.ckpt").read_bytes())
    with pytest.raises(VoiceError, match="T2S model has phones of v1, the SoVITS model is v2"):
        compiled(folder, voices)


def test_networks_of_another_width_are_refused(own: TinyVoices) -> None:
    folder = own.add()
    save_hubert(own.pretrained_dir / official.HUBERT, width=24)
    with pytest.raises(VoiceError, match="features of width 24; the SoVITS weights need 20"):
        compiled(folder, own)


def test_clips_are_refused_with_every_reason_and_the_last_state_stays(voices: TinyVoices) -> None:
    folder = voices.add(emotions=("neutral", "happy"))
    compiled(folder, voices)
    before = (folder / FILE_NAME).read_bytes()
    soundfile.write(folder / "neutral.wav", babble(4.0, 8000), 8000)
    soundfile.write(folder / "happy.wav", np.zeros(48000), 24000)
    with pytest.raises(ClipRefused) as caught:
        compiled(folder, voices)
    assert str(caught.value).splitlines() == [
        "neutral.wav: has 8000 samples a second; at least 16000 are needed",
        "happy.wav: lasts 2.000 s; 3 to 10 s are allowed",
        "happy.wav: is silent; somebody has to speak in it",
    ]
    assert (folder / FILE_NAME).read_bytes() == before
    assert look_at(folder, voices.pretrained_dir).reason.endswith("neutral.wav, happy.wav")


@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.0])
def test_a_voice_that_cannot_be_heard_is_refused(
    voices: TinyVoices, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    silence = np.zeros(int(seconds * 16000), np.float32)
    monkeypatch.setattr(compiling, "whole", lambda *_: silence)
    folder = voices.add()
    with pytest.raises(VoiceError, match="next to nothing that can be heard"):
        compiled(folder, voices)
    assert not (folder / FILE_NAME).exists()


def test_the_languages_that_a_manifest_names_are_offered_in_its_order(voices: TinyVoices) -> None:
    folder = voices.add()
    edit(folder, 'name = "Tiny tiny"', 'name = "Tiny tiny"\nlanguages = ["ko", "en", "ko"]')
    assert compiled(folder, voices).languages == ("ko", "en")


def test_a_dictionary_that_is_none_is_named(voices: TinyVoices) -> None:
    folder = voices.add(language="ja")
    files = FrontendFiles(open_jtalk=folder)
    with pytest.raises(VoiceError, match="text in ja cannot be read: "):
        compile_voice(folder, pretrained_dir=voices.pretrained_dir, files=files)


def test_damaged_networks_are_named(own: TinyVoices) -> None:
    (own.pretrained_dir / official.HUBERT / "model.safetensors").write_bytes(b"not this")
    with pytest.raises(VoiceError, match=f"{official.HUBERT}: "):
        compiled(own.add(), own)
