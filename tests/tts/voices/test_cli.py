"""Voices from the command line: what is said, on which stream, with which exit status."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.tts.voices.folders import (
    GOLDEN,
    make_voice,
    pretend_compiled,
    save_clip,
    save_noisy_clip,
)
from tts import cli
from tts.voices.manifest import FILE_NAME, load_manifest

Run = Callable[..., tuple[int, str, str]]
TODAY = datetime.date.today()


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run an action of `voices` in a folder of its own: exit status, stdout, stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        places = ["--voices", str(tmp_path / "voices"), "--pretrained", str(tmp_path / "none")]
        status = cli.main(["voices", *places, *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return save_clip(tmp_path / "clip.wav")


@pytest.fixture
def voices_dir(tmp_path: Path) -> Path:
    return tmp_path / "voices"


def said(clip: Path) -> tuple[str | Path, ...]:
    return ("--clip", clip, "--text", "Good morning.", "--language", "en")


def test_a_voice_is_added_with_its_consent_record(run: Run, clip: Path, voices_dir: Path) -> None:
    status, out, err = run(
        "add", "ada", *said(clip), "--consent", "All uses.", "--consent-by", "Ada L."
    )
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{voices_dir / 'ada'}: added",
        "next, compile it: parley voices compile ada",
    ]
    manifest = load_manifest(voices_dir / "ada")
    assert manifest.consent is not None
    assert (manifest.consent.who, manifest.consent.what) == ("Ada L.", "All uses.")
    assert manifest.consent.when == TODAY
    assert (manifest.name, manifest.reference[0].emotion) == ("ada", "neutral")
    assert manifest.weights.t2s == manifest.weights.sovits == "official:v2Pro"


def test_a_missing_consent_record_is_said_with_the_way_to_write_it(
    run: Run, clip: Path, voices_dir: Path
) -> None:
    status, _, err = run("add", "ada", *said(clip))
    assert status == 0
    assert err.startswith("voice 'ada' has no consent record.")
    assert f"write into {voices_dir / 'ada' / FILE_NAME}:" in err
    record = err[err.index("  [consent]") :]
    path = voices_dir / "ada" / FILE_NAME
    path.write_text(path.read_text(encoding="utf-8") + record, encoding="utf-8")
    consent = load_manifest(voices_dir / "ada").consent
    assert consent is not None and consent.when == TODAY


def test_every_option_of_a_new_voice_is_written_down(
    run: Run, clip: Path, voices_dir: Path
) -> None:
    options = ("--name", "Ada", "--description", "Calm.", "--licence", "CC0-1.0")
    own = ("--t2s", GOLDEN / "ckpt" / "t2s_v2.ckpt", "--weights", "v2", "--emotion", "calm")
    assert run("add", "ada", *said(clip), *options, *own)[0] == 0
    manifest = load_manifest(voices_dir / "ada")
    assert (manifest.name, manifest.description, manifest.licence) == ("Ada", "Calm.", "CC0-1.0")
    assert manifest.reference[0].emotion == "calm"
    assert manifest.weights.t2s == str(GOLDEN / "ckpt" / "t2s_v2.ckpt")
    assert manifest.weights.sovits == "official:v2"


def test_noise_can_be_taken_out(run: Run, tmp_path: Path, voices_dir: Path) -> None:
    clip = save_noisy_clip(tmp_path / "noisy.wav")
    assert "noisy.wav: is noisy" in run("add", "ada", *said(clip))[2]
    assert run("add", "ada", *said(clip), "--denoise")[0] == 0
    assert load_manifest(voices_dir / "ada").denoise


def test_warnings_are_said_and_the_voice_is_added(run: Run, clip: Path, voices_dir: Path) -> None:
    samples, rate_hz = soundfile.read(clip)
    soundfile.write(clip, np.stack([samples] * 2, axis=1), rate_hz)
    status, _, err = run("add", "ada", *said(clip))
    assert status == 0
    assert err.splitlines()[0] == "clip.wav has 2 channels; their mean is used, one is best"
    assert (voices_dir / "ada").is_dir()


def test_another_emotion_is_added_to_a_voice(run: Run, clip: Path, voices_dir: Path) -> None:
    make_voice(voices_dir)
    status, out, _ = run("add", "ada", *said(clip), "--emotion", "happy")
    assert status == 0
    assert out.startswith(f"{voices_dir / 'ada'}: added the emotion 'happy'\n")
    emotions = [one.emotion for one in load_manifest(voices_dir / "ada").reference]
    assert emotions == ["neutral", "happy"]


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (("--emotion", "neutral"), 1, "has the emotion 'neutral' already"),
        (("--emotion", "happy", "--denoise"), 2, "--denoise: voice 'ada' is there already"),
        (("--emotion", "happy", "--weights", "v2"), 2, "--weights: voice 'ada' is there already"),
        (("--emotion", "happy", "--consent", "all"), 2, "--consent-by: missing"),
        (("--emotion", "happy", "--consent-evidence", "x"), 2, "--consent: missing"),
        (("--emotion", "very happy"), 1, "emotion = 'very happy'"),
    ],
)
def test_what_cannot_be_added_to_a_voice_is_refused(
    run: Run, clip: Path, voices_dir: Path, options: tuple[str, ...], status: int, words: str
) -> None:
    make_voice(voices_dir)
    before = (voices_dir / "ada" / FILE_NAME).read_bytes()
    found, out, err = run("add", "ada", *said(clip), *options)
    assert (found, out) == (status, "")
    assert words in err
    assert (voices_dir / "ada" / FILE_NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("voice_id", "options", "status", "words"),
    [
        ("Ada", (), 1, "id = 'Ada': 1 to 64 lower-case letters"),
        ("ada", ("--weights", "v3"), 2, "--weights = 'v3': allowed are v1, v2, v2Pro, v2ProPlus"),
        ("ada", ("--weights", "v2", "--t2s", "a", "--sovits", "b"), 2, "none are left"),
        ("ada", ("--clip", "none.wav"), 1, "none.wav: cannot be read: No such file"),
        ("ada", ("--t2s", "none.ckpt"), 1, "weights.t2s: none.ckpt: cannot be read"),
    ],
)
def test_a_voice_that_cannot_be_made_leaves_nothing(
    run: Run,
    clip: Path,
    voices_dir: Path,
    voice_id: str,
    options: tuple[str, ...],
    status: int,
    words: str,
) -> None:
    found, out, err = run("add", voice_id, *said(clip), *options)
    assert (found, out) == (status, "")
    assert words in err
    assert not voices_dir.exists()


def test_the_list_shows_every_voice_and_what_keeps_it_from_speaking(
    run: Run, voices_dir: Path
) -> None:
    assert run("list") == (0, f"{voices_dir}: no voices; make one with: parley voices add\n", "")
    pretend_compiled(make_voice(voices_dir))
    make_voice(voices_dir, "bob")
    (make_voice(voices_dir, "eve-2") / FILE_NAME).write_text("name = 3", encoding="utf-8")
    status, out, err = run("list")
    assert (status, err) == (0, "")
    assert [line.rstrip() for line in out.splitlines()] == [
        "ada    ready         en zh             neutral",
        "bob    not compiled  en                neutral",
        "       bob/compiled.safetensors: not there; the voice is not compiled yet",
        "eve-2  broken",
        "       eve-2/voice.toml: name = 3: Input should be a valid string; weights: missing;"
        " reference: missing",
    ]
    values = json.loads(run("list", "--json")[1])
    assert [(one["id"], one["state"]) for one in values] == [
        ("ada", "ready"),
        ("bob", "not compiled"),
        ("eve-2", "broken"),
    ]
    assert values[0] == {
        "id": "ada",
        "state": "ready",
        "reason": "",
        "name": "Ada",
        "languages": ["en", "zh"],
        "emotions": ["neutral"],
        "consent": False,
    }


def test_a_checkpoint_file_is_described(run: Run) -> None:
    path = GOLDEN / "ckpt" / "sovits_v2Pro.pth"
    status, out, err = run("inspect", path)
    assert (status, err) == (0, "")
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert out.splitlines()[0] == "sovits_v2Pro.pth: sovits v2Pro, can be used"
    for row in (
        ["languages", "zh en ja ko yue"],
        ["parameters", "253,442"],
        ["weights", "F16, 0.7 MB, torch"],
        ["training", "8epoch_216iteration"],
        ["upsample_rates", "10 8 2 2 2"],
    ):
        assert row in lines
    values = json.loads(run("inspect", path, "--json")[1])
    assert (values["kind"], values["version"], values["usable"]) == ("sovits", "v2Pro", True)
    assert values["spec"]["sample_rate_hz"] == 32000


def test_a_checkpoint_that_cannot_be_used_is_described_with_the_reason(run: Run) -> None:
    status, out, _ = run("inspect", GOLDEN / "ckpt" / "sovits_v3_lora.pth")
    assert status == 1
    assert out.startswith("sovits_v3_lora.pth: sovits lora v3, cannot be used: a LoRA of SoVITS v3")


def test_what_is_no_checkpoint_and_no_voice_is_named(run: Run, clip: Path) -> None:
    status, out, err = run("inspect", clip)
    assert (status, out) == (1, "")
    assert err.startswith("clip.wav: ")
    assert run("inspect", "none.ckpt")[2].startswith("none.ckpt: cannot be read: No such file")
    assert "no voice 'ada'" in run("inspect", "ada")[2]


def test_a_voice_is_described_by_its_id_and_by_its_folder(run: Run, voices_dir: Path) -> None:
    pretend_compiled(make_voice(voices_dir))
    status, out, err = run("inspect", "ada")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "ada: ready",
        "  name            Ada",
        "  languages       en zh",
        '  neutral         neutral.wav, en: "Good morning."',
        "  weights.t2s     v2 and later, 239,282 parameters, GPT-e15",
        "  weights.sovits  v2, 217,950 parameters, 8epoch_216iteration",
        "  consent         no record: write a table [consent] with who, when and what into"
        " voice.toml",
        "  loudness        +1.5 dB are added",
    ]
    assert run("inspect", voices_dir / "ada")[1] == out
    values = json.loads(run("inspect", "ada", "--json")[1])
    assert values["manifest"]["reference"][0]["audio"] == "neutral.wav"
    assert values["weights"]["weights.sovits"]["version"] == "v2"
    assert values["compiled"]["codes"] == {"neutral": 7}


def test_weights_of_a_voice_that_cannot_be_read_are_named(run: Run, voices_dir: Path) -> None:
    (make_voice(voices_dir) / "ada.pth").write_bytes(b"not this")
    status, out, _ = run("inspect", "ada")
    assert status == 1
    assert "  weights.sovits  ada.pth: " in out
    values = json.loads(run("inspect", "ada", "--json")[1])
    assert values["weights"]["weights.sovits"]["error"].startswith("ada.pth: ")
    assert values["compiled"] is None


def test_compiling_asks_for_voices_that_are_there(run: Run, voices_dir: Path) -> None:
    pretend_compiled(make_voice(voices_dir))
    status, out, err = run("compile", "ada", "eve")
    assert (status, out) == (1, "")
    assert err == f"no voice 'eve' in {voices_dir}; there are: ada\n"
    assert run("compile", "--all") == (0, f"{voices_dir}: nothing to compile\n", "")
    with pytest.raises(SystemExit) as stopped:
        run("compile")
    assert stopped.value.code == 2
