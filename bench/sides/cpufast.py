"""gpt-sovits-cpufast, a fork of GPT-SoVITS for CPUs, from the environment that has it.

It keeps upstream's classes, so its side is upstream's with another way to load: T2S without the
layers that only training uses, the vocoder without weight norm.
"""

import importlib
import importlib.metadata
import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bench.sides import upstream
from bench.sides.task import Task

PACKAGE = "gpt-sovits-cpufast"


class Cpufast(upstream.Upstream):
    """See `bench.sides.task.Side`."""

    def __init__(self, task: Task) -> None:
        found = importlib.util.find_spec("gpt_sovits_cpufast")
        if found is None or found.origin is None:
            raise ImportError(f"the package {PACKAGE} is not installed here")
        super().__init__(replace(task, source=str(Path(found.origin).parents[1])))
        version = importlib.metadata.version(PACKAGE)
        self.about = f"{PACKAGE} {version}, torch {torch.__version__}, fp32"

    def _load_t2s(self, path: str) -> Any:
        read = torch.load(path, weights_only=True)
        module = importlib.import_module("AR.models.t2s_lightning_module")
        lightning = module.Text2SemanticLightningModule(
            read["config"], "", is_train=False, build_t2s_transformer=False, build_h_module=False
        )
        lightning.load_inference_only_state_dict(read["weight"])
        lightning.model.release_inference_only_unused_modules()
        return lightning.model.eval()

    def _load_sovits(self, path: str) -> Any:
        model = super()._load_sovits(path)
        model.dec.remove_weight_norm()
        return model


def load(task: Task) -> Cpufast:
    """The side of the installed package.  Raises ImportError when there is none."""
    return Cpufast(task)
