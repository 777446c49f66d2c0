"""genie-tts, from the environment that has it: ONNX models on the CPU, v2 and v2ProPlus.

Its converter makes ONNX files of the task's checkpoints, its loader makes sessions of them, and
those are run as its class `GENIE` runs them, but for a fixed count of tokens: with our files its
own loop would go on to its limit.  The package looks for the pretrained models of its hub when it
is imported, and asks whether to download them; it is shown an empty folder of that name, since
nothing here listens to clips.
"""

import importlib.metadata
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.sides.task import FirstPacket, Sentence, Task

PACKAGE = "genie-tts"
_VERSIONS = ("v2", "v2ProPlus")
_RATE_HZ = 32000


class Genie:
    """See `bench.sides.task.Side`."""

    first_packet_way = "the whole sentence: it streams sentence by sentence"

    def __init__(self, task: Task) -> None:
        if task.version not in _VERSIONS:
            raise ValueError(f"version {task.version!r}: it speaks {', '.join(_VERSIONS)}")
        self._task = task
        self._folder = tempfile.TemporaryDirectory(prefix="parley-genie-")
        self._model = _converted(task, Path(self._folder.name))
        import onnxruntime

        version = importlib.metadata.version(PACKAGE)
        self.about = f"{PACKAGE} {version}, onnxruntime {onnxruntime.__version__}, fp32"
        draw = np.random.default_rng(0)
        self._input = {
            "ref_seq": draw.integers(300, size=(1, task.reference_phones)),
            "text_seq": draw.integers(300, size=(1, task.phones)),
            "ref_bert": np.zeros((task.reference_phones, 1024), np.float32),
            "text_bert": np.zeros((task.phones, 1024), np.float32),
            "ssl_content": draw.standard_normal(
                (1, 768, 2 * task.reference_codes), dtype=np.float32
            ),
        }
        seconds = task.reference_codes / 25
        self._clip = 0.1 * draw.standard_normal((1, int(seconds * _RATE_HZ)), dtype=np.float32)
        self._speaker = self._listened() if task.version == "v2ProPlus" else {}

    def sentence(self) -> Sentence:
        """Token by token, and then the whole sentence in one run."""
        model = self._model
        began_s = last_s = time.perf_counter()
        x, prompts = model.T2S_ENCODER.run(None, self._input)
        state = model.T2S_FIRST_STAGE_DECODER.run(None, {"x": x, "prompts": prompts})
        names = [one.name for one in model.T2S_STAGE_DECODER.get_inputs()]
        steps_s: list[float] = []
        while True:
            now_s = time.perf_counter()
            steps_s.append(now_s - last_s)
            last_s = now_s
            if len(steps_s) == self._task.codes:
                break
            tokens, embedded, _, *rest = model.T2S_STAGE_DECODER.run(
                None, dict(zip(names, state, strict=True))
            )
            state = [tokens, embedded, *rest]
        codes = state[0][None, :, -self._task.codes :]
        spoken = {"text_seq": self._input["text_seq"], "pred_semantic": codes}
        audio = model.VITS.run(None, spoken | (self._speaker or {"ref_audio": self._clip}))[0]
        return Sentence(steps_s, time.perf_counter() - began_s, audio.shape[-1])

    def first_packet(self) -> FirstPacket:
        """As long as a sentence takes."""
        whole = self.sentence()
        return FirstPacket(whole.seconds, whole.samples)

    def _listened(self) -> dict[str, Any]:
        """What its prompt encoder makes of a clip; once a voice."""
        embedding = np.random.default_rng(1).standard_normal((1, 20480), dtype=np.float32)
        session = self._model.PROMPT_ENCODER
        ge, advanced = session.run(None, {"ref_audio": self._clip, "sv_emb": embedding})
        return {"ge": ge, "ge_advanced": advanced}


def load(task: Task) -> Genie:
    """The side of the installed package.  Raises ImportError when there is none."""
    return Genie(task)


def _converted(task: Task, folder: Path) -> Any:
    data = folder / "data"
    (data / "chinese-hubert-base").mkdir(parents=True)
    (data / "speaker_encoder.onnx").touch()
    os.environ["GENIE_DATA_DIR"] = str(data)
    here = os.getcwd()
    os.chdir(folder)  # its converter keeps a cache beside what it is run in
    try:
        import genie_tts  # type: ignore[import-not-found]
        from genie_tts.ModelManager import model_manager  # type: ignore[import-not-found]

        genie_tts.convert_to_onnx(task.t2s, task.sovits, str(folder / "onnx"))
        model_manager.load_character("random", str(folder / "onnx"), "English")
        return model_manager.get("random")
    finally:
        os.chdir(here)
