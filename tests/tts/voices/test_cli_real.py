"""A voice from a clip to its first words, by the commands that a person types.

Its weights are small and random: it babbles.  No trained ones can be had here.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.tts.models.golden_sovits import GOLDEN
from tests.tts.paces import pieces, spoken
from tests.tts.voices.tiny import tiny_voices
from tts import cli
from tts.light.hibari import VOICE, HibariEngine
from tts.types import SynthesisRequest

pytestmark = pytest.mark.real

TEXT = "Good morning, this is a short clip of my voice, and I hope that you like it."

WEIGHTS = {"t2s": "t2s_v2.ckpt", "sovits": "sovits_v2.pth"}


def test_a_voice_is_added_compiled_and_heard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voices = tiny_voices(tmp_path)
    places = [f"--voices={voices.voices_dir}", f"--pretrained={voices.pretrained_dir}"]
    said = pieces(spoken(HibariEngine(threads=1), SynthesisRequest(TEXT, VOICE.id, "en")))
    clip = tmp_path / "clip.wav"
    samples = np.concatenate([piece.samples for piece in said])
    soundfile.write(clip, samples, VOICE.sample_rate_hz)
    capsys.readouterr()

    weights = [f"--{kind}={GOLDEN / 'ckpt' / name}" for kind, name in WEIGHTS.items()]
    consent = ["--consent", "Tests.", "--consent-by", "A synthetic voice"]
    added = ["add", "ada", "--clip", str(clip), "--text", TEXT, "--language", "en"]
    assert cli.main(["voices", *places, *added, *weights, *consent]) == 0
    assert capsys.readouterr().err == ""  # real speech has nothing to be warned of

    assert cli.main(["voices", *places, "compile", "ada"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("ada: compiled in ")
    assert err == ""
    assert cli.main(["voices", *places, "compile", "--all"]) == 0
    assert capsys.readouterr().out == f"{voices.voices_dir}: nothing to compile\n"

    wav = tmp_path / "hello.wav"
    assert cli.main(["say", "Hello there.", "--voice", "ada", "--out", str(wav), *places]) == 0
    info = soundfile.info(wav)
    assert (info.samplerate, info.channels) == (32000, 1)
    assert info.duration > 0.4


def test_one_voice_that_cannot_be_compiled_keeps_no_other_from_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voices = tiny_voices(tmp_path)
    (voices.add("ada") / "neutral.wav").unlink()
    voices.add("bob")
    capsys.readouterr()
    places = [f"--voices={voices.voices_dir}", f"--pretrained={voices.pretrained_dir}"]
    assert cli.main(["voices", *places, "compile", "--all"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("bob: compiled in ")
    assert err.splitlines() == [
        "ada: not compiled",
        "neutral.wav: cannot be read: No such file or directory",
    ]


def test_no_command_but_compile_waits_for_torch() -> None:
    modules = "cli, adding, store, inspecting, compiled, sources, text_files"
    code = (
        f"import sys, tts.cli; from tts.voices import {modules};"
        " from tts.pretrained import command, pulling; print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "transformers"} & set(run.stdout.split()) == set()
