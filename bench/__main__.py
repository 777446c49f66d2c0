"""`python -m bench NAME [options]`: runs one bench; its last line on stdout is one JSON object.

A bench is a module of this package with `main(argv) -> dict`, the object that `bench.report.result`
makes.  `--save` or `--save=LABEL` also writes it to bench/results/NAME[-LABEL]-DATE.json.
"""

import importlib
import json
import pkgutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import bench
from bench.report import RESULTS

HIDDEN = {
    "__main__",
    "report",
    "stt_data",
    "calls",
    "random_voice",
    "random_folder",
    "random_models",
    "endings",
    "services",
    "door_server",
    "door_clients",
    "listener",
    "load_steps",
    "hesitant",
    "simulated_calls",
    "sides",
    "turns_audio",
    "turns_audio_data",
    "turns_audio_over",
    "turns_text_own",
    "turns_world",
}


def names() -> list[str]:
    """The benches there are."""
    return sorted(m.name for m in pkgutil.iter_modules(bench.__path__) if m.name not in HIDDEN)


def main(argv: list[str]) -> int:
    """Run a bench; returns the exit status."""
    saves = [word for word in argv if word.partition("=")[0] == "--save"]
    argv = [word for word in argv if word not in saves]
    if not argv or argv[0] not in names():
        print(f"usage: python -m bench NAME [options]; NAME is one of {', '.join(names())}")
        return 2
    report = importlib.import_module(f"bench.{argv[0]}").main(argv[1:])
    line = json.dumps(report, ensure_ascii=False)
    if saves:
        label = saves[-1].partition("=")[2]
        name = f"{argv[0]}-{label}" if label else argv[0]
        target = RESULTS / f"{name}-{datetime.now(UTC):%Y-%m-%d}.json"
        target.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print(f"saved as {Path(target).relative_to(RESULTS.parent.parent)}")
    print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
