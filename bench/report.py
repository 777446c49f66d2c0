"""What every bench prints: the machine, percentiles, and one JSON object with stable names."""

import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

RESULTS = Path(__file__).parent / "results"


def percentiles(name: str, values: Sequence[float], *, digits: int = 0) -> dict[str, float | None]:
    """`name_p50`, `_p95` and `_p99` of the values; None when there are none."""
    if not values:
        return {f"{name}_p{p}": None for p in (50, 95, 99)}
    return {f"{name}_p{p}": round(float(np.percentile(values, p)), digits) for p in (50, 95, 99)}


def result(
    bench: str,
    *,
    settings: Mapping[str, Any],
    metrics: Mapping[str, Any],
    targets: Mapping[str, Any],
    device: str = "cpu",
    threads: int = 1,
) -> dict[str, Any]:
    """The JSON object of one run."""
    return {
        "bench": bench,
        "commit": _commit(),
        "device": device,
        "cpu": f"{_cpu_name()}, {psutil.cpu_count()} logical cores",
        "load_1min": round(psutil.getloadavg()[0], 2),
        "threads": threads,
        "settings": dict(settings),
        "metrics": dict(metrics),
        "targets": dict(targets),
    }


def table(rows: Sequence[tuple[str, Any]]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")


def _commit() -> str:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
