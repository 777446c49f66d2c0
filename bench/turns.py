"""Who takes turns best: Parley beside plain VAD, smart-turn alone and pipecat, in simulated calls.

    python -m bench turns [--quick] [--turns 4000] [--half held_out] [--taker all]
                          [--profile gpu cpu] [--curve FILE.csv] [--save]
    python -m bench turns --audio [--quick] [--half held_out] [--save=audio]

Scripted callers (`bench.turns_world`) pause, hesitate, spell, cough, agree, talk to others, have a
television on, hear the agent echo, and interrupt it at every moment of a reply, in English and
Chinese.  Each contender plays the same calls on a virtual clock with the latencies of a profile;
the scores are those of eot-bench, EVA and tau-voice, and our own (`bench.turns_world.scores`).
Nothing here was fitted on the half "held_out"; settings are fitted on "calibrate".  With --audio
recorded and synthetic sound is played to the real models instead: see `bench.turns_audio`.

Endpointing is a curve, false cut-offs against mean delay: of Parley by sweeping `cut_off_cost_s`,
with the time that voice detection and models take; of plain VAD and smart-turn so too (`_live`),
and by eot-bench's sweep, in which pauses are known and models answer at once.  Metrics of the first
profile have plain names, those of another end in its name; those of other contenders in theirs;
`_en` and `_zh` are by language.  Times are the caller's, who is `up_ms` and `down_ms` away.
"""

import argparse
import csv
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from bench.report import result
from bench.turns_world import scores
from bench.turns_world.baselines import pauses_of, sweep_smart_turn, sweep_vad
from bench.turns_world.callers import scripts as write_scripts
from bench.turns_world.contenders import CONTENDERS, SWEEPS, Players
from bench.turns_world.latencies import PROFILES, Latencies
from bench.turns_world.scores import Outcome, Point
from bench.turns_world.scripts import Half, Language, Script

TARGETS = {
    "false_cutoffs_at_300ms": "<= 0.10",
    "false_cutoffs_at_550ms": "<= 0.05",
    "selectivity": ">= 0.97",
    "yield_ms_p95": "<= 250",
    "duck_ms_p95": "<= 100",
    "heard_within_1_word_share": ">= 0.99",
    "eva_turn_taking": ">= 0.85",
    "v2v_ms_p50": "<= 450 with the gpu profile",
}
MOST_CURVE_TURNS = 1600
"""Of so many the curve is drawn: each is played once for every value of the knob."""
PUBLISHED = {
    "vad": "55.6 % @300, 21.7 % @600; 1600 ms at 5 %, 1000 at 10 %",
    "smart-turn": "35.2 % @300, 14.8 % @600; 1051 ms at 5 %, 739 at 10 %",
}
"""eot-bench's figures, real English calls."""


@dataclass(frozen=True, slots=True)
class Run:
    """What is compared, and how."""

    takers: Sequence[str]
    scripts: Sequence[Script]
    profiles: Sequence[Latencies]
    seed: int
    players: Players


def enough_scripts(seed: int, half: Half, turns: int) -> list[Script]:
    """Scripts whose exchanges come to `turns`; interruptions make some more."""
    written = write_scripts(seed, half=half, count=max(1, turns // 2))
    enough: list[Script] = []
    for script in written:
        if sum(len(s.exchanges) for s in enough) >= turns:
            break
        enough.append(script)
    return enough


def curves(run: Run) -> dict[str, list[Point]]:
    """False cut-offs against delay, by the end of the metrics' names."""
    drawn: dict[str, list[Point]] = {}
    for language in ("", *get_args(Language)):
        chosen = [s for s in run.scripts if s.language == language or not language]
        if chosen:
            pauses = pauses_of(chosen, run.seed)
            of_language = [language] if language else []
            if "vad" in run.takers:
                drawn[_joined("vad", *of_language)] = sweep_vad(pauses)
            if "smart-turn" in run.takers:
                drawn[_joined("smart_turn", *of_language)] = sweep_smart_turn(pauses)
    for taker in run.takers:
        for profile in run.profiles:
            drawn |= _played_curves(run, taker, profile) if taker in SWEEPS else {}
    return drawn


def _played_curves(run: Run, taker: str, profile: Latencies) -> dict[str, list[Point]]:
    """The curves of a contender that is shown the turns, with the profile's latencies."""
    few: list[Script] = []
    for script in run.scripts:
        few.append(script)
        if sum(len(s.exchanges) for s in few) >= MOST_CURVE_TURNS:
            break
    by_setting = run.players.listen(taker, few, profile, run.seed)
    drawn = {}
    for language in ("", *get_args(Language)):
        chosen = [i for i, s in enumerate(few) if s.language == language or not language]
        if chosen:
            name = _suffix(run, taker, profile, language)
            drawn[name if taker == "parley" else f"{name}_live"] = [
                scores.point([outcomes[i] for i in chosen], setting)
                for setting, outcomes in zip(SWEEPS[taker], by_setting, strict=True)
            ]
    return drawn


def play_contender(run: Run, taker: str, profile: Latencies) -> dict[str, Any]:
    """Metrics of a contender's calls, by their names in the report."""
    began_s = time.perf_counter()
    outcomes = run.players.play(taker, run.scripts, profile, run.seed)
    wall_s = time.perf_counter() - began_s
    metrics = _named(_measure(outcomes), _suffix(run, taker, profile))
    metrics[f"wall_s{_suffix(run, taker, profile)}"] = round(wall_s, 1)
    if taker == "parley":
        for language in get_args(Language):
            chosen = [
                outcome
                for outcome, script in zip(outcomes, run.scripts, strict=True)
                if script.language == language
            ]
            if chosen:
                metrics |= _named(_measure(chosen), _suffix(run, taker, profile, language))
    return metrics


def _measure(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Every score, those of endpointing at the contender's own operating point included."""
    at = scores.point(outcomes, ())
    return {
        "turns": float(sum(len(outcome.turns) for outcome in outcomes)),
        "false_cutoffs": at.false_cutoffs,
        "endpoint_delay_ms_mean": 1000 * at.mean_delay_s,
        "cut_turns": scores.cut_turns(outcomes),
        **scores.panel(outcomes),
    }


def _suffix(run: Run, taker: str, profile: Latencies, language: str = "") -> str:
    parts = [] if taker == "parley" else [taker.replace("-", "_")]
    parts += [] if profile.name == run.profiles[0].name else [profile.name]
    parts += [language] if language else []
    return _joined(*parts)


def _joined(*parts: str) -> str:
    return "".join(f"_{part}" for part in parts)


def _named(metrics: dict[str, float | None], suffix: str) -> dict[str, float | None]:
    return {
        f"{name}{suffix}": None if value is None else round(value, 1 if "_ms" in name else 4)
        for name, value in metrics.items()
    }


def write_curves(path: Path, drawn: dict[str, list[Point]]) -> None:
    """Write every point of the curves, as JSON or CSV by the file's name."""
    rows = [
        {"curve": name.removeprefix("_") or "parley", **asdict(point)}
        for name, points in drawn.items()
        for point in points
    ]
    if path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["curve", "false_cutoffs", "mean_delay_s", "setting"])
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "setting": " ".join(map(str, row["setting"]))})


ROWS = (
    *("false_cutoffs_at_300ms", "false_cutoffs_at_550ms", "false_cutoffs_at_600ms"),
    *("delay_ms_at_5pct", "delay_ms_at_10pct", "false_cutoffs", "endpoint_delay_ms_mean"),
    *("cut_turns", "v2v_ms_p50", "v2v_ms_p95", "unanswered_share", "yield_ms_p50", "yield_ms_p95"),
    *("unyielded_share", "duck_ms_p50", "duck_ms_p95", "selectivity", "selectivity_backchannel"),
    *("selectivity_cough", "selectivity_side_talk", "selectivity_tv", "held_share"),
    *("held_ms_mean", "held_ms_p95", "heard_error_words_p99", "heard_within_1_word_share"),
    *("eva_turn_taking", "tau_l_r_s", "tau_r_r", "tau_l_y_s", "tau_r_y", "tau_i_a", "tau_s_bc"),
    *("tau_s_vt", "tau_s_nd", "wasted_work_share", "drafts_per_turn", "turns", "wall_s"),
)


def _print_table(run: Run, metrics: dict[str, Any]) -> None:
    columns = [
        (CONTENDERS[taker].title + ("" if profile is run.profiles[0] else f" {profile.name}"), s)
        for profile in run.profiles
        for taker in run.takers
        for s in [_suffix(run, taker, profile)]
    ]
    if "parley" in run.takers:
        columns += [(language, f"_{language}") for language in get_args(Language)]
    print(f"{'':<28}" + "".join(f"{title:>12}" for title, _ in columns))
    for row in ROWS:
        values = [metrics.get(f"{row}{suffix}") for _, suffix in columns]
        print(f"{row:<28}" + "".join(f"{'-' if v is None else v:>12}" for v in values))
    print("live: " + "; ".join(_live(metrics, taker) for taker in run.takers if taker in PUBLISHED))
    for taker in run.takers:
        if taker in PUBLISHED:
            print(f"{CONTENDERS[taker].title}, published by eot-bench: {PUBLISHED[taker]}")


def _live(metrics: dict[str, Any], taker: str) -> str:
    suffix = f"{_joined(taker.replace('-', '_'))}_live"
    names = ("false_cutoffs_at_300ms", "false_cutoffs_at_550ms", "delay_ms_at_10pct")
    return f"{CONTENDERS[taker].title} " + ", ".join(f"{n} {metrics[n + suffix]}" for n in names)


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench and return its JSON object."""
    options = _options(argv)
    if options.audio:
        from bench import turns_audio  # the models' libraries take seconds to load

        return turns_audio.run(half=options.half, quick=options.quick)
    with Players(options.processes) as players:
        run = Run(
            takers=list(CONTENDERS) if options.taker == "all" else [options.taker],
            scripts=enough_scripts(options.seed, options.half, options.turns),
            profiles=[_with_line(PROFILES[name], options.line_ms) for name in options.profile],
            seed=options.seed,
            players=players,
        )
        metrics = _compare(run, options.curve)
    _print_table(run, metrics)
    return result(
        "turns",
        threads=options.processes,
        settings={
            "half": options.half,
            "turns": options.turns,
            "scripts": len(run.scripts),
            "seed": options.seed,
            "takers": list(run.takers),
            "profiles": [asdict(profile) for profile in run.profiles],
            "quick": options.quick,
        },
        metrics=metrics,
        targets=TARGETS,
    )


def _compare(run: Run, curve: Path | None) -> dict[str, Any]:
    drawn = curves(run)
    if curve:
        write_curves(curve, drawn)
    metrics: dict[str, Any] = {}
    for name, points in drawn.items():
        metrics |= _named(scores.operating_points(points), name)
    for profile in run.profiles:
        for taker in run.takers:
            metrics |= play_contender(run, taker, profile)
    return metrics


def _with_line(latencies: Latencies, line_ms: Sequence[float] | None) -> Latencies:
    if line_ms is None:
        return latencies
    return replace(latencies, up_ms=line_ms[0], down_ms=line_ms[1])


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench turns", description="Turn taking, side by side.")
    parser.add_argument("--quick", action="store_true", help="fewer turns, under a minute")
    parser.add_argument("--audio", action="store_true", help="real sound and models instead")
    parser.add_argument("--turns", type=int, default=4000, help="turns of callers to play")
    parser.add_argument("--half", choices=get_args(Half), default="held_out")
    parser.add_argument("--taker", choices=[*CONTENDERS, "all"], default="all")
    parser.add_argument("--profile", nargs="+", choices=sorted(PROFILES), default=["gpu", "cpu"])
    parser.add_argument("--line-ms", nargs=2, type=float, metavar=("UP", "DOWN"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--curve", type=Path, metavar="FILE", help="every point, .csv or .json")
    options = parser.parse_args(argv)
    if options.turns < 1:
        parser.error(f"argument --turns: {options.turns} must be at least 1")
    if options.curve and options.curve.suffix not in (".csv", ".json"):
        parser.error(f"argument --curve: {options.curve} must end in .csv or .json")
    if options.quick:
        options.turns = min(options.turns, 300)
        options.profile = options.profile[:1]
    return options
