"""Compiled voices made of random numbers, without clips and without what listens to them.

Their weights are the golden models of the sizes that upstream's classes allow, and random: what
they say is babble.  `tests.tts.voices.tiny` makes voices the whole way.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from tests.tts.models.golden_sovits import GOLDEN
from tts import checkpoint
from tts.spec import SovitsSpec, T2sSpec
from tts.voices.compiled import FILE_NAME, CompiledVoice, Prompt, save_compiled, weights_path
from tts.voices.manifest import FILE_NAME as MANIFEST

GAIN_DB = -3.0


@lru_cache
def converted(name: str) -> tuple[bytes, str, T2sSpec | SovitsSpec]:
    """A golden checkpoint as safetensors: the file, its digest, its sizes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        digest = checkpoint.convert(GOLDEN / "ckpt" / name, path)
        return path.read_bytes(), digest, checkpoint.read(path).spec


def add_voice(
    voices_dir: Path,
    voice_id: str,
    *,
    t2s: str = "v2",
    sovits: str = "v2",
    languages: Sequence[str] = ("en", "zh", "ja", "ko", "yue"),
    emotions: Sequence[str] = ("neutral", "happy"),
    seed: int = 0,
    settings: str = "",
) -> Path:
    """A voice that can be spoken with; `settings` ends its voice.toml."""
    folder = voices_dir / voice_id
    folder.mkdir(parents=True)
    digests, specs = [], []
    for name in (f"t2s_{t2s}.ckpt", f"sovits_{sovits}.pth"):
        content, digest, spec = converted(name)
        digests.append(digest)
        specs.append(spec)
        target = weights_path(voices_dir, digest)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    lines = [f'name = "{voice_id}"', f'description = "babbles {seed}"', settings]
    for emotion in emotions:
        lines += [
            "[[reference]]",
            f'emotion = "{emotion}"',
            f'audio = "{emotion}.wav"',
            'text = "Good morning."',
            'language = "en"',
        ]
    lines += ["[weights]", 't2s = "official:v2"', 'sovits = "official:v2"']
    (folder / MANIFEST).write_text("\n".join(lines), encoding="utf-8")
    draw = np.random.default_rng(seed)
    save_compiled(
        CompiledVoice(
            prompts={emotion: random_prompt(draw, *specs) for emotion in emotions},
            languages=tuple(languages),
            sample_rate_hz=32000,
            gain_db=GAIN_DB,
            t2s_sha256=digests[0],
            sovits_sha256=digests[1],
            sources={},
        ),
        folder / FILE_NAME,
    )
    return folder


def random_prompt(draw: np.random.Generator, t2s: T2sSpec, sovits: SovitsSpec) -> Prompt:
    """A second of reference."""
    return Prompt(
        codes=draw.integers(1024, size=25),
        phones=draw.integers(sovits.symbols, size=9),
        features=np.zeros((t2s.bert, 9), np.float32),
        ge=_normal(draw, sovits.gin),
    )


def _normal(draw: np.random.Generator, size: int) -> NDArray[np.float32]:
    return draw.standard_normal(size).astype(np.float32)
