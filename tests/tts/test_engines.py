"""Which engines a configuration asks for, and what is imported for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tts.config import GptSovitsConfig, ServiceConfig
from tts.engine.types import NoVoices
from tts.engines import builders


def config(voices_dir: Path) -> ServiceConfig:
    return ServiceConfig(gpt_sovits=GptSovitsConfig(voices_dir=voices_dir))


def test_engines_come_in_the_configured_order(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "voice.toml").touch()
    # By default a voice of the user's own wins over a light one of the same id.
    assert list(builders(config(tmp_path))) == ["gpt-sovits", "hibari", "kokoro"]
    turned = config(tmp_path).model_copy(update={"engines": ("hibari", "gpt-sovits")})
    assert list(builders(turned)) == ["hibari", "gpt-sovits"]


@pytest.mark.parametrize("folder", [".", "nowhere"])
def test_without_a_voice_no_engine_of_cloned_voices_is_built(tmp_path: Path, folder: str) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / ".ann.1.part").mkdir()
    (tmp_path / ".ann.1.part" / "voice.toml").touch()
    build = builders(config(tmp_path / folder))["gpt-sovits"]
    with pytest.raises(NoVoices, match="no voice in"):
        build()


def test_without_torch_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "voice.toml").touch()
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("tts.gpt_sovits")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match=r"GPT-SoVITS voices needs.*'torch'.*\[gpt-sovits\]"):
        builders(config(tmp_path))["gpt-sovits"]()


def test_asking_for_the_builders_imports_no_model(tmp_path: Path) -> None:
    program = (
        "import sys; from tts.config import ServiceConfig; from tts.engines import builders;"
        "import tts.cli, tts.service; builders(ServiceConfig());"
        "print(sorted({'torch', 'transformers', 'onnxruntime', 'hibari'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]", done.stderr
