"""Voice folders with a manifest, a clip and a saved state that was made up: nothing is computed."""

import shutil
from pathlib import Path

import numpy as np
import soundfile

import tests.golden
from tests.tts.babble import babble
from tts.voices.compiled import (
    FILE_NAME,
    WEIGHTS_FOLDER,
    CompiledVoice,
    Prompt,
    save_compiled,
    weights_path,
)
from tts.voices.manifest import FILE_NAME as MANIFEST
from tts.voices.manifest import load_manifest
from tts.voices.sources import read_sources, source_files

GOLDEN = Path(tests.golden.__file__).parent
RATE_HZ = 16000
PRETRAINED = Path("pretrained")
MANIFEST_TEXT = """# Written by hand.
name = "Ada"
weights = { t2s = "ada.ckpt", sovits = "ada.pth" }

[[reference]]
emotion = "neutral"
audio = "neutral.wav"
text = "Good morning."
language = "en"
"""
PROMPT = Prompt(
    codes=np.arange(7),
    phones=np.arange(5),
    features=np.zeros((16, 5), np.float32),
    ge=np.ones(8, np.float32),
)


def save_clip(path: Path, seconds: float = 4.0) -> Path:
    """A clip that passes every check."""
    soundfile.write(path, babble(seconds, RATE_HZ), RATE_HZ, subtype="PCM_16")
    return path


def save_noisy_clip(path: Path) -> Path:
    """A clip with as much noise as speech: refused, unless the noise is taken out."""
    speech = babble(4.0, RATE_HZ)
    hiss = np.random.default_rng(0).standard_normal(len(speech)) * speech.std()
    soundfile.write(path, (speech + hiss) * 0.2, RATE_HZ, subtype="PCM_16")
    return path


def make_voice(voices_dir: Path, voice_id: str = "ada") -> Path:
    """A voice that was never compiled."""
    folder = voices_dir / voice_id
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(MANIFEST_TEXT, encoding="utf-8")
    save_clip(folder / "neutral.wav")
    shutil.copy(GOLDEN / "ckpt" / "t2s_v2.ckpt", folder / "ada.ckpt")
    shutil.copy(GOLDEN / "ckpt" / "sovits_v2.pth", folder / "ada.pth")
    return folder


def pretend_compiled(folder: Path) -> CompiledVoice:
    """Save a state of the voice's sources as they are now."""
    manifest = load_manifest(folder)
    voice = CompiledVoice(
        prompts={one.emotion: PROMPT for one in manifest.reference},
        languages=("en", "zh"),
        sample_rate_hz=32000,
        gain_db=1.5,
        t2s_sha256="a" * 64,
        sovits_sha256="b" * 64,
        sources=read_sources(source_files(folder, manifest, PRETRAINED), manifest),
    )
    (folder.parent / WEIGHTS_FOLDER).mkdir(exist_ok=True)
    for sha256 in (voice.t2s_sha256, voice.sovits_sha256):
        weights_path(folder.parent, sha256).touch()
    save_compiled(voice, folder / FILE_NAME)
    return voice
