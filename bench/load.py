"""What it takes to have a voice's models in memory: time, peak memory and file sizes per version.

    python -m bench load [--quick] [--versions v2 ...] [--repeats 3] [--threads 1] [--folder DIR]

The models have official sizes and random weights (`bench.random_voice`).  Each step runs in a
process of its own, on files that were just written, so they come from the page cache:

- read: both checkpoint files (T2S and SoVITS) into arrays, safely, as `tts.checkpoint` does;
- convert: both into safetensors files; done once for a voice's life;
- load: both safetensors files into models on the CPU, in single precision;
- run: the same, and then a second of audio from 30 phones, whose numbers must be finite (0.2 s
  when quick).

Times leave out the start of Python and of torch; `cpu_s`, of all threads, is what a machine with
other work says most truly.  `peak_mb` is the most memory that the process
ever held (VmHWM), imports included; `imports_mb` is what it held before the step.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import random_voice
from bench.load_steps import STEPS, checkpoint_files
from bench.report import result, table
from tts.spec import SovitsSpec, T2sSpec

CODES, QUICK_CODES = 25, 5
"""What a run speaks, 40 ms each."""


def specs(version: str) -> dict[str, T2sSpec | SovitsSpec]:
    """The sizes of a version's two models."""
    return {"t2s": random_voice.t2s_spec(version), "sovits": random_voice.sovits_spec(version)}


def measured(
    name: str, version: str, folder: Path, *, threads: int, codes: int
) -> dict[str, float]:
    """One step in a fresh process.  Raises `CalledProcessError`."""
    command = [
        *(sys.executable, "-m", "bench.load_steps"),
        *(name, version, str(folder), str(threads), str(codes)),
    ]
    root = Path(__file__).parents[1]
    ended = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def measure(
    version: str, folder: Path, *, repeats: int, threads: int, codes: int
) -> dict[str, Any]:
    """All figures of one version."""
    metrics: dict[str, Any] = {}
    paths = checkpoint_files(folder, version)
    for path, (model, spec) in zip(paths, specs(version).items(), strict=True):
        if not path.exists():
            random_voice.write(path, spec)
        metrics[f"file_mb_{version}_{model}"] = round(path.stat().st_size / 1e6, 1)
        metrics[f"parameters_{version}_{model}"] = random_voice.parameters(spec)
    for name in STEPS:
        runs = [
            measured(name, version, folder, threads=threads, codes=codes) for _ in range(repeats)
        ]
        of = {key: [run[key] for run in runs] for key in runs[0]}
        metrics[f"{name}_{version}_s_p50"] = round(float(np.median(of["s"])), 3)
        metrics[f"{name}_{version}_cpu_s_p50"] = round(float(np.median(of["cpu_s"])), 3)
        metrics[f"{name}_{version}_peak_mb"] = round(max(of["peak_mb"]))
        metrics[f"{name}_{version}_imports_mb"] = round(float(np.median(of["imports_mb"])))
        if name == "load":
            metrics[f"models_{version}_mb"] = round(
                float(np.median([a - b for a, b in zip(of["mb"], of["imports_mb"], strict=True)]))
            )
    return {name.lower(): value for name, value in metrics.items()}


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench and return its JSON object."""
    parser = argparse.ArgumentParser(prog="bench load", description="Models into memory.")
    parser.add_argument("--quick", action="store_true", help="each step once")
    parser.add_argument(
        "--versions", nargs="+", choices=random_voice.NAMES, default=[*random_voice.NAMES]
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where files go, and stay; else nowhere")
    options = parser.parse_args(argv)
    repeats, codes = (1, QUICK_CODES) if options.quick else (options.repeats, CODES)
    metrics: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="parley-load-") as passing:
        folder = options.folder or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        for version in options.versions:
            found = measure(version, folder, repeats=repeats, threads=options.threads, codes=codes)
            table(list(found.items()))
            metrics |= found
    return result(
        "load",
        threads=options.threads,
        settings={
            "versions": options.versions,
            "repeats": repeats,
            "codes": codes,
            "weights": "random",
            "dtype": "float32",
            "files": "from the page cache",
        },
        metrics=metrics,
        targets={},
    )
