"""How much faster Parley speaks than other GPT-SoVITS engines, on one machine in one run.

    python -m bench peers --upstream DIR [--version v2] [--repeats 5] [--threads 2]
                          [--peer NAME=PYTHON ...] [--quick] [--save]

Every side loads the same checkpoint files, of full size with random weights, and speaks one
utterance of the same phones' and tokens' count (`bench.sides.task`), each in a process of its own.
They take turns, so that what else the machine does falls on all alike; a speed-up is the median of
the turns' ratios.  How to get the other sides: docs/peers.md.

- t2s: tokens a second after the first token, whose time stands apart;
- sentence: from phones to the last sample;
- first_packet: from phones to the first audio, in the side's own fastest way.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from bench import endings, random_voice
from bench.report import result, table
from bench.sides.task import FirstPacket, Sentence, Task

ROOT = Path(__file__).parents[1]
PEERS = ("cpufast", "genie", "gsv_lite")
"""Other sides than ours and upstream; see docs/peers.md."""
OURS, UPSTREAM = "ours", "upstream"
TARGETS = {"t2s_speedup_vs_upstream": 3.0, "sentence_speedup_vs_upstream": 2.5}

REFERENCE_CODES, REFERENCE_PHONES = 125, 60
"""5 s of reference."""
PHONES, CODES = 40, 100
"""A sentence of 4 s."""
QUICK_PHONES, QUICK_CODES = 14, 30


class Child:
    """A side's process, with the voice in memory; see `bench.sides.child`."""

    def __init__(self, name: str, python: str, task: Task) -> None:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": str(task.threads),
            "TQDM_DISABLE": "1",
        }
        self.name = name
        self._process = subprocess.Popen(
            [python, "-m", "bench.sides.child", name, json.dumps(asdict(task))],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        about = self._answer()
        self.about: str = about["about"]
        self.first_packet_way: str = about["first_packet_way"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.__exit__(kind, error, traceback)  # closes stdin, at which it ends; waits

    def sentence(self) -> Sentence:
        """See `bench.sides.task.Side`."""
        return Sentence(**self._asked("sentence"))

    def first_packet(self) -> FirstPacket:
        """See `bench.sides.task.Side`."""
        return FirstPacket(**self._asked("first_packet"))

    def _asked(self, request: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        print(request, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"side {self.name!r} ended; what it said stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench; see `bench.__main__`."""
    options = _options(argv)
    with tempfile.TemporaryDirectory(prefix="parley-peers-") as folder, ExitStack() as stack:
        task = task_of(options, Path(folder))
        children = [stack.enter_context(Child(OURS, sys.executable, task))]
        if options.upstream:
            source = replace(task, source=str(options.upstream.resolve()))
            python = options.upstream_python or sys.executable
            children.append(stack.enter_context(Child(UPSTREAM, python, source)))
        for name, python in options.peer:
            children.append(stack.enter_context(Child(name, python, task)))
        turns = [_turn(children, task) for _ in range(options.repeats + 1)][1:]
    metrics = compared(turns)
    table(list(metrics.items()))
    return result(
        "peers",
        settings={
            "version": options.version,
            "repeats": options.repeats,
            "weights": "random",
            "reference_codes": task.reference_codes,
            "reference_phones": task.reference_phones,
            "phones": task.phones,
            "codes": task.codes,
            "sides": {child.name: child.about for child in children},
            "first_packets": {child.name: child.first_packet_way for child in children},
        },
        metrics=metrics,
        targets=TARGETS,
        threads=options.threads,
    )


def task_of(options: argparse.Namespace, folder: Path) -> Task:
    """The task, its files written into `folder`."""
    version = options.version
    t2s, sovits = random_voice.t2s_spec(version), random_voice.sovits_spec(version)
    made = random_voice.tensors(t2s)
    endings.end_never(made, t2s)
    random_voice.save(folder / "t2s.ckpt", t2s, made)
    random_voice.write(folder / "sovits.pth", sovits)
    return Task(
        version=version,
        t2s=str(folder / "t2s.ckpt"),
        sovits=str(folder / "sovits.pth"),
        source="",
        threads=options.threads,
        reference_codes=REFERENCE_CODES,
        reference_phones=REFERENCE_PHONES,
        phones=QUICK_PHONES if options.quick else PHONES,
        codes=QUICK_CODES if options.quick else CODES,
    )


Turn = Mapping[str, tuple[Sentence, FirstPacket]]
"""What each side did once, by its name."""


def _turn(children: Sequence[Child], task: Task) -> Turn:
    sentences = {child.name: child.sentence() for child in children}
    packets = {child.name: child.first_packet() for child in children}
    for name, one in sentences.items():
        if len(one.steps_s) != task.codes:
            raise SystemExit(f"side {name!r} made {len(one.steps_s)} tokens, not {task.codes}")
    return {name: (sentences[name], packets[name]) for name in sentences}


def compared(turns: Sequence[Turn]) -> dict[str, Any]:
    """The metrics of all turns, the warm-up left out."""
    seconds = {name: [_seconds(*turn[name]) for turn in turns] for name in turns[0]}
    metrics: dict[str, Any] = {}
    for name in seconds:
        if name == OURS:
            continue
        for what in ("t2s", "sentence", "first_packet"):
            ratios = [
                theirs[what] / ours[what]
                for theirs, ours in zip(seconds[name], seconds[OURS], strict=True)
            ]
            metrics[f"{what}_speedup_vs_{name}"] = round(float(np.median(ratios)), 2)
    for name, each in seconds.items():
        of = {what: float(np.median([one[what] for one in each])) for what in each[0]}
        metrics |= {
            f"t2s_{name}_tokens_per_s": round(1 / of["t2s"], 1),
            f"t2s_{name}_first_token_ms_p50": round(1000 * of["first_token"]),
            f"sentence_{name}_s_p50": round(of["sentence"], 2),
            f"sound_{name}_s_p50": round(of["sound"], 2),
            f"first_packet_{name}_ms_p50": round(1000 * of["first_packet"]),
            f"first_packet_{name}_samples": turns[0][name][1].samples,
        }
    return metrics


def _seconds(sentence: Sentence, packet: FirstPacket) -> dict[str, float]:
    return {
        "t2s": float(np.median(sentence.steps_s[1:])),
        "first_token": sentence.steps_s[0],
        "sentence": sentence.seconds,
        "sound": sentence.seconds - sum(sentence.steps_s),
        "first_packet": packet.seconds,
    }


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench peers")
    parser.add_argument("--upstream", type=Path, metavar="DIR", help="a checkout of GPT-SoVITS")
    parser.add_argument("--upstream-python", metavar="PYTHON", help="what runs it; else this one")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        type=_peer,
        metavar="NAME=PYTHON",
        help=f"another side ({', '.join(PEERS)}) and the Python of the environment that has it",
    )
    parser.add_argument("--version", default="v2", choices=random_voice.NAMES)
    parser.add_argument("--repeats", type=int, help="turns that count; 5, or 2 when quick")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a shorter sentence, few turns")
    options = parser.parse_args(argv)
    options.repeats = options.repeats or (2 if options.quick else 5)
    return options


def _peer(text: str) -> tuple[str, str]:
    name, _, python = text.partition("=")
    if name not in PEERS:
        raise argparse.ArgumentTypeError(f"{text!r}: one of {', '.join(PEERS)} is allowed")
    return name, python or sys.executable
