"""A voice comes in whole, checked and written down, or not at all."""

import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.tts.voices.folders import GOLDEN, MANIFEST_TEXT, make_voice, save_clip, save_noisy_clip
from tts.errors import VoiceNotFound
from tts.voices.adding import NewReference, NewVoice, add_reference, add_voice
from tts.voices.errors import ClipRefused, ManifestError, VoiceError, VoiceExists
from tts.voices.manifest import FILE_NAME, ConsentTable, load_manifest

OFFICIAL = NewVoice("Ada", "official:v2", "official:v2")
CONSENT = ConsentTable(who="Ada L.", when=datetime.date(2026, 11, 3), what="The shop's phone.")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return save_clip(tmp_path / "My Recording.WAV")


def said(clip: Path, emotion: str = "neutral", **others: str) -> NewReference:
    values = {"text": "Good morning.", "language": "en"} | others
    return NewReference(clip=clip, emotion=emotion, **values)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_new_voice_has_its_clip_and_a_manifest(tmp_path: Path, clip: Path) -> None:
    voices_dir = tmp_path / "deep" / "voices"
    new = NewVoice("Ada", "official:v2", "official:v2", licence="CC0-1.0", consent=CONSENT)
    assert add_voice(voices_dir, "ada", new, said(clip)) == ()
    assert [path.name for path in voices_dir.iterdir()] == ["ada"]
    folder = voices_dir / "ada"
    assert set(contents(folder)) == {FILE_NAME, "neutral.wav"}
    assert (folder / "neutral.wav").read_bytes() == clip.read_bytes()
    manifest = load_manifest(folder)
    assert (manifest.name, manifest.licence, manifest.consent) == ("Ada", "CC0-1.0", CONSENT)
    (reference,) = manifest.reference
    assert (reference.emotion, reference.audio) == ("neutral", "neutral.wav")
    assert (reference.text, reference.language) == ("Good morning.", "en")
    assert manifest.weights.t2s == manifest.weights.sovits == "official:v2"


def test_what_would_sound_better_is_returned(tmp_path: Path, clip: Path) -> None:
    samples, rate_hz = soundfile.read(clip)
    soundfile.write(clip, np.stack([samples] * 2, axis=1), rate_hz)
    (warning,) = add_voice(tmp_path / "voices", "ada", OFFICIAL, said(clip))
    assert warning == "has 2 channels; their mean is used, one is best"


def test_weights_of_ones_own_are_found_from_the_voices_folder(tmp_path: Path, clip: Path) -> None:
    voices_dir = tmp_path / "voices"
    voices_dir.mkdir()
    inside = voices_dir / "shared.ckpt"
    inside.write_bytes((GOLDEN / "ckpt" / "t2s_v2.ckpt").read_bytes())
    outside = GOLDEN / "ckpt" / "sovits_v2.pth"
    add_voice(voices_dir, "ada", NewVoice("Ada", str(inside), str(outside)), said(clip))
    weights = load_manifest(voices_dir / "ada").weights
    assert (weights.t2s, weights.sovits) == ("../shared.ckpt", str(outside))


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (("no.ckpt", "official:v2"), "weights.t2s: no.ckpt: cannot be read: No such file"),
        ((str(GOLDEN / "ckpt" / "sovits_v2.pth"), "official:v2"), "weights.t2s = .* wrong one"),
        (("official:v2", str(GOLDEN / "ckpt" / "t2s_v2.ckpt")), "weights.sovits = .* wrong one"),
        (("official:v2", str(GOLDEN / "ckpt" / "sovits_v3_lora.pth")), "a LoRA .* needs its base"),
        (("official:v9", "official:v2"), 'weights.t2s = .official:v9.: allowed are "official:v1"'),
    ],
)
def test_weights_that_cannot_be_used_are_refused(
    tmp_path: Path, clip: Path, weights: tuple[str, str], reason: str
) -> None:
    with pytest.raises(VoiceError, match=reason):
        add_voice(tmp_path / "voices", "ada", NewVoice("Ada", *weights), said(clip))
    assert not (tmp_path / "voices").exists()


def test_a_bad_clip_is_refused_with_every_reason_and_leaves_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    soundfile.write(bad, np.zeros(8000, np.float32), 8000)
    with pytest.raises(ClipRefused) as caught:
        add_voice(tmp_path / "voices", "ada", OFFICIAL, said(bad))
    assert str(caught.value).splitlines() == [
        "bad.wav: lasts 1.000 s; 3 to 10 s are allowed",
        "bad.wav: has 8000 samples a second; at least 16000 are needed",
        "bad.wav: is silent; somebody has to speak in it",
    ]
    assert not (tmp_path / "voices").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"emotion": "../happy"}, "reference.0.emotion = '../happy'"),
        ({"text": " "}, "reference.0.text"),
        ({"language": "fr"}, "reference.0.language = 'fr'"),
    ],
)
def test_values_that_are_not_allowed_are_named(
    tmp_path: Path, clip: Path, changes: dict[str, str], reason: str
) -> None:
    with pytest.raises(ManifestError, match=reason):
        add_voice(tmp_path / "voices", "ada", OFFICIAL, said(clip, **changes))
    folder = make_voice(tmp_path / "voices")
    before = contents(folder)
    with pytest.raises(ManifestError, match=reason.replace("0", "1")):
        add_reference(tmp_path / "voices", "ada", said(clip, **{"emotion": "happy"} | changes))
    assert contents(folder) == before


def test_an_id_that_is_taken_is_refused(tmp_path: Path, clip: Path) -> None:
    folder = make_voice(tmp_path)
    before = contents(folder)
    with pytest.raises(VoiceExists, match="ada exists already"):
        add_voice(tmp_path, "ada", OFFICIAL, said(clip, "happy"))
    with pytest.raises(VoiceError, match="id = '../ada'"):
        add_voice(tmp_path, "../ada", OFFICIAL, said(clip))
    assert contents(folder) == before


def test_nothing_is_seen_of_a_voice_that_could_not_be_copied(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tts.voices.adding.shutil.copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        add_voice(tmp_path / "voices", "ada", OFFICIAL, said(clip))
    assert list((tmp_path / "voices").iterdir()) == []


def test_a_new_emotion_is_added_and_the_manifest_keeps_its_comments(
    tmp_path: Path, clip: Path
) -> None:
    folder = make_voice(tmp_path)
    assert add_reference(tmp_path, "ada", said(clip, "happy"), CONSENT) == ()
    manifest = load_manifest(folder)
    assert [one.emotion for one in manifest.reference] == ["neutral", "happy"]
    assert manifest.reference[1].audio == "happy.wav"
    assert manifest.consent == CONSENT
    assert (folder / "happy.wav").read_bytes() == clip.read_bytes()
    assert (folder / FILE_NAME).read_text(encoding="utf-8").startswith(MANIFEST_TEXT.rstrip())
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_clip_of_that_name_is_not_overwritten(tmp_path: Path, clip: Path) -> None:
    folder = make_voice(tmp_path)
    (folder / "happy.wav").write_bytes(b"mine")
    add_reference(tmp_path, "ada", said(clip, "happy"))
    assert (folder / "happy.wav").read_bytes() == b"mine"
    assert load_manifest(folder).reference[1].audio == "happy-2.wav"


def test_an_emotion_or_a_consent_record_that_is_there_is_kept(tmp_path: Path, clip: Path) -> None:
    folder = make_voice(tmp_path)
    add_reference(tmp_path, "ada", said(clip, "happy"), CONSENT)
    before = contents(folder)
    with pytest.raises(
        VoiceExists, match="has the emotion 'happy' already; it has: neutral, happy"
    ):
        add_reference(tmp_path, "ada", said(clip, "happy"))
    with pytest.raises(VoiceExists, match="has a consent record already"):
        add_reference(tmp_path, "ada", said(clip, "sad"), CONSENT)
    assert contents(folder) == before


def test_a_manifest_that_cannot_be_added_to_says_how_it_could(tmp_path: Path, clip: Path) -> None:
    folder = make_voice(tmp_path)
    inline = (
        'name = "Ada"\nweights = { t2s = "official:v2", sovits = "official:v2" }\n'
        'reference = [{ emotion = "neutral", audio = "a.wav", text = "Hi.", language = "en" }]\n'
    )
    (folder / FILE_NAME).write_text(inline, encoding="utf-8")
    with pytest.raises(VoiceError, match=r"as a table \[\[reference\]\]"):
        add_reference(tmp_path, "ada", said(clip, "happy"))
    assert (folder / FILE_NAME).read_text(encoding="utf-8") == inline
    assert not (folder / "happy.wav").exists()


def test_no_emotion_is_added_to_a_voice_that_is_not_there(tmp_path: Path, clip: Path) -> None:
    make_voice(tmp_path)
    with pytest.raises(VoiceNotFound, match="there are: ada"):
        add_reference(tmp_path, "eve", said(clip))


def test_noise_is_judged_as_the_voice_will_be_heard(tmp_path: Path) -> None:
    clip = save_noisy_clip(tmp_path / "a.wav")
    with pytest.raises(ClipRefused, match="is noisy"):
        add_voice(tmp_path / "voices", "ada", OFFICIAL, said(clip))
    clean = NewVoice("Ada", "official:v2", "official:v2", denoise=True)
    warnings = add_voice(tmp_path / "voices", "ada", clean, said(clip))
    assert [warning for warning in warnings if "noisy" in warning] == []
    assert load_manifest(tmp_path / "voices" / "ada").denoise
