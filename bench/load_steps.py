"""The steps of `bench.load`, each run by a process of its own, with what it took.

    python -m bench.load_steps STEP VERSION FOLDER THREADS CODES

Out: one JSON object.  Each step imports what it needs and nothing else, so that its memory is its
own; what it needs is imported before the clock starts.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PHONES, PROMPT = 30, 50
"""What a run speaks, and after how many codes of reference."""


def read_step(folder: Path, version: str, codes: int) -> None:
    """Both checkpoints into arrays."""
    from tts.checkpoint import read_sovits, read_t2s

    files = checkpoint_files(folder, version)
    kept = read_t2s(files[0]), read_sovits(files[1])
    assert all(checkpoint.tensors for checkpoint in kept)


def convert_step(folder: Path, version: str, codes: int) -> None:
    """Both checkpoints into safetensors files."""
    from tts.checkpoint import convert

    files = zip(checkpoint_files(folder, version), converted_files(folder, version), strict=True)
    for checkpoint, converted in files:
        convert(checkpoint, converted)


def load_step(folder: Path, version: str, codes: int) -> Any:
    """Both safetensors files into models."""
    import torch

    from tts.checkpoint import read_sovits, read_t2s
    from tts.models.sovits import Sovits
    from tts.models.t2s import T2s

    cpu, files = torch.device("cpu"), converted_files(folder, version)
    t2s, sovits = read_t2s(files[0]), read_sovits(files[1])
    return (
        T2s.load(t2s.spec, t2s.tensors, dtype=torch.float32, device=cpu),
        Sovits.load(sovits.spec, sovits.tensors, dtype=torch.float32, device=cpu),
    )


def run_step(folder: Path, version: str, codes: int) -> None:
    """Load, then one short utterance; raises `AssertionError` unless its numbers are finite."""
    import torch

    from tts.engine.sampling import ExponentialNoise, Sampling
    from tts.engine.t2s_decode import Limits, decode
    from tts.models.t2s import T2sInput

    t2s, sovits = load_step(folder, version, codes)
    rng = torch.Generator().manual_seed(0)
    phones = torch.randint(300, (PHONES,), generator=rng)
    features = torch.randn(t2s.spec.bert, PHONES, generator=rng)
    prompt = torch.randint(1024, (PROMPT,), generator=rng)
    noise = ExponentialNoise(0, t2s.spec.vocabulary, t2s.device)
    drawn = list(
        decode(
            t2s,
            T2sInput.of(phones, features, prompt),
            sampling=Sampling(),
            noise=noise,
            limits=Limits(early_stop=codes - 1),
        )
    )
    latent = torch.randn(1, sovits.spec.latent, sovits.frames(len(drawn)), generator=rng)
    ge = torch.randn(1, sovits.spec.gin, 1, generator=rng)
    with torch.inference_mode():
        audio = sovits.decode(torch.tensor([drawn]), phones[None], ge, latent)
    assert audio.isfinite().all()
    assert audio.shape[-1] == len(drawn) * 2 * sovits.spec.hop_samples


STEPS: dict[str, Callable[[Path, str, int], Any]] = {
    "read": read_step,
    "convert": convert_step,
    "load": load_step,
    "run": run_step,
}
_WITH_TORCH = {"load", "run"}


def checkpoint_files(folder: Path, version: str) -> tuple[Path, Path]:
    """A version's T2S and SoVITS checkpoints; later versions share the T2S of v2."""
    t2s = "v1" if version == "v1" else "v2"
    return folder / f"t2s_{t2s}.ckpt", folder / f"sovits_{version}.pth"


def converted_files(folder: Path, version: str) -> tuple[Path, Path]:
    """What the checkpoints are converted to."""
    t2s, sovits = checkpoint_files(folder, version)
    return t2s.with_suffix(".safetensors"), sovits.with_suffix(".safetensors")


def held_mb(field: str) -> float:
    """Memory of this process in millions of bytes: "VmHWM" the most ever, "VmRSS" now.

    Not `getrusage`, whose maximum begins with that of the process that started this one.
    """
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError(f"/proc/self/status has no {field}")


def step(name: str, version: str, folder: Path, threads: int, codes: int) -> dict[str, float]:
    """Do one step here, and say what it took; a run speaks up to so many codes."""
    from tts import checkpoint  # noqa: F401 - imported before the clock starts

    if name in _WITH_TORCH:
        import torch

        from tts.engine import t2s_decode  # noqa: F401
        from tts.models import sovits, t2s  # noqa: F401

        torch.set_num_threads(threads)
    imports_mb = held_mb("VmRSS")
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    kept = STEPS[name](folder, version, codes)
    spent_s, spent_cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    after_mb = held_mb("VmRSS")
    del kept
    return {
        "s": spent_s,
        "cpu_s": spent_cpu_s,
        "imports_mb": imports_mb,
        "peak_mb": held_mb("VmHWM"),
        "mb": after_mb,
    }


if __name__ == "__main__":
    name, version, folder, *numbers = sys.argv[1:]
    print(json.dumps(step(name, version, Path(folder), *map(int, numbers))))
