"""How well and how fast the recogniser hears: short window against full window.

    python -m bench stt [--quick] [--models base tiny.en] [--threads 2] [--save]

Word error rate on human and synthetic speech (`bench.stt_data`), of the half that the guard was
tuned on and of the half that is only reported; time per utterance; how often the short window
falls back; how far short and full differ on utterances cut in the middle, as partials are; and
how often sound without speech becomes text.

Words are compared in lower case without punctuation; digits are read as words (up to two digits
as a number, longer ones digit by digit); American and British spellings count as equal.
"""

import argparse
import asyncio
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jiwer
import numpy as np
from numpy.typing import NDArray

from agent.config import SttConfig, cache_dir
from agent.stt.types import Transcript
from agent.stt.whisper import WhisperStt, load
from bench import stt_data
from bench.report import result
from bench.stt_data import Clip

WINDOWS: tuple[Literal["full"], Literal["short"]] = ("full", "short")
HALVES = ("dev", "held_out")
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_SPELLINGS = {
    "mr": "mister",
    "ok": "okay",
    "harbour": "harbor",
    "favourite": "favorite",
    "recognise": "recognize",
    "metres": "meters",
    "grey": "gray",
}


def words(text: str) -> list[str]:
    """The words of a text as they are compared."""
    text = re.sub(r"[^a-z0-9' ]", " ", text.lower().replace("’", "'"))
    text = re.sub(r"\d+", lambda digits: f" {_spoken(digits.group())} ", text)
    return [_SPELLINGS.get(word, word) for word in text.split()]


def _spoken(digits: str) -> str:
    if len(digits) > 2:
        return " ".join(_ONES[int(digit)] for digit in digits)
    number = int(digits)
    if number < 20:
        return _ONES[number]
    return _TENS[number // 10] + (f" {_ONES[number % 10]}" if number % 10 else "")


@dataclass(frozen=True, slots=True)
class Heard:
    """A clip, what it was heard as, and the errors in that."""

    clip: Clip
    transcript: Transcript
    errors: int
    reference_words: int


def errors(reference: str, heard: str) -> tuple[int, int]:
    """Substitutions, deletions and insertions, and the number of reference words."""
    wanted, got = words(reference), words(heard)
    if not wanted:
        return len(got), 0
    found = jiwer.process_words(" ".join(wanted), " ".join(got))
    return found.substitutions + found.deletions + found.insertions, len(wanted)


async def listen(stt: WhisperStt, clips: Sequence[Clip]) -> list[Heard]:
    """Transcribe the clips one after another, as finals."""
    heard = []
    for clip in clips:
        transcript = await stt.transcribe(clip.audio, language="en", final=True)
        heard.append(Heard(clip, transcript, *errors(clip.text, transcript.text)))
    return heard


async def measure(model: str, threads: int, quick: bool, halves: Sequence[str]) -> dict[str, Any]:
    """All metrics of one model."""
    speech = [clip for clip in stt_data.speech() if clip.half in halves]
    if quick:
        speech = speech[:: max(1, len(speech) // 24)]
    cut = stt_data.cut_in_the_middle(speech)[::3]
    noise = [clip for clip in stt_data.not_speech() if clip.half in halves][:: 10 if quick else 1]
    models = load(SttConfig(model=model, threads=threads), cache_dir(os.environ))
    results: dict[str, list[Heard]] = {}
    partials: dict[str, list[Heard]] = {}
    metrics: dict[str, Any] = {}
    for window in WINDOWS:
        stt = WhisperStt(
            SttConfig(model=model, threads=threads, window=window),
            cache_dir=Path("unused"),
            load=lambda *_: models,
        )
        await stt.start()
        results[window] = await listen(stt, speech)
        metrics |= _named(_speech_metrics(results[window], halves), window)
        metrics[f"doubts_{window}"] = {
            why.removeprefix("doubt_"): n for why, n in stt.counts.items() if "doubt" in why
        }
        partials[window] = await listen(stt, cut)
        noisy = await listen(stt, noise)
        metrics[f"false_text_share_{window}"] = _share(bool(h.transcript.text) for h in noisy)
        await stt.close()
    metrics["partial_disagreement_pct"] = _disagreement(partials["short"], partials["full"])
    for half in halves:
        metrics[f"wer_change_pct_{half}"] = _change(results["short"], results["full"], half)
    return metrics


def _speech_metrics(heard: Sequence[Heard], halves: Sequence[str]) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for half in halves:
        of_half = [one for one in heard if one.clip.half == half]
        metrics[f"wer_pct_{half}"] = _wer(of_half)
        for speaker in sorted({one.clip.speaker.split(":")[0] for one in of_half}):
            said = [one for one in of_half if one.clip.speaker.split(":")[0] == speaker]
            metrics[f"wer_pct_{half}_{speaker}"] = _wer(said)
        metrics[f"fallback_share_{half}"] = _share(h.transcript.window == "full" for h in of_half)
        # More wrong words than were said, and more than a short reply: a loop or a rant.
        metrics[f"runaways_{half}"] = sum(h.errors > h.reference_words + 3 for h in of_half)
    times_ms = [one.transcript.compute_s * 1000 for one in heard]
    for name, quantile in (("p50", 50), ("p95", 95)):
        metrics[f"stt_ms_{name}"] = round(float(np.percentile(times_ms, quantile)), 1)
    return metrics


def _named(metrics: dict[str, Any], suffix: str) -> dict[str, Any]:
    return {f"{name}_{suffix}": value for name, value in metrics.items()}


def _wer(heard: Sequence[Heard]) -> float:
    total = sum(one.reference_words for one in heard)
    return round(100 * sum(one.errors for one in heard) / max(1, total), 2)


def _share(flags: Iterable[bool]) -> float:
    return round(float(np.mean([float(flag) for flag in flags] or [0.0])), 4)


def _disagreement(short: Sequence[Heard], full: Sequence[Heard]) -> float:
    """Word errors of the short window against the full one's words, in percent of those."""
    pairs = zip(short, full, strict=True)
    found = [errors(two.transcript.text, one.transcript.text) for one, two in pairs]
    return round(100 * sum(e for e, _ in found) / max(1, sum(n for _, n in found)), 2)


def _change(short: Sequence[Heard], full: Sequence[Heard], half: str) -> list[float]:
    """WER of short minus full in points, and its 95 % interval by resampling sentences.

    The conditions of one sentence are drawn together, because their errors are not independent.
    """
    sentences: dict[str, NDArray[np.int64]] = {}
    for one, two in zip(short, full, strict=True):
        if one.clip.half == half:
            key = one.clip.name.split("/")[0]
            row = np.array([one.errors - two.errors, one.reference_words])
            sentences[key] = sentences.get(key, np.zeros(2, np.int64)) + row
    rows = np.array(list(sentences.values()))
    draws = np.random.default_rng(0).integers(0, len(rows), (2000, len(rows)))
    sums = rows[draws].sum(axis=1)
    low, high = np.percentile(100 * sums[:, 0] / sums[:, 1], (2.5, 97.5))
    change = 100 * rows[:, 0].sum() / rows[:, 1].sum()
    return [round(float(value), 2) for value in (change, low, high)]


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench and return its JSON object."""
    parser = argparse.ArgumentParser(prog="bench stt", description="Short against full window.")
    parser.add_argument("--quick", action="store_true", help="a small sample, under a minute")
    parser.add_argument("--models", nargs="+", default=["base", "tiny.en"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--halves", nargs="+", choices=HALVES, default=HALVES)
    options = parser.parse_args(argv)
    metrics: dict[str, Any] = {}
    for model in options.models:
        found = asyncio.run(measure(model, options.threads, options.quick, options.halves))
        metrics |= _named(found, model)
        _print_table(model, found)
    return result(
        "stt",
        threads=options.threads,
        settings={
            "models": options.models,
            "quick": options.quick,
            "halves": list(options.halves),
            "compute_type": SttConfig().compute_type,
            "speakers": sorted({clip.speaker for clip in stt_data.speech()}),
        },
        metrics=metrics,
        targets={
            f"wer_change_pct_held_out_{model}": "first number <= 0.3: short loses nothing"
            for model in options.models
        },
    )


def _print_table(model: str, metrics: dict[str, Any]) -> None:
    print(f"\n{model:<34}{'full':>10}{'short':>10}")
    names = sorted({name.rsplit("_", 1)[0] for name in metrics if name.endswith("_full")})
    for name in names:
        print(f"  {name:<32}{metrics[f'{name}_full']!s:>10}{metrics[f'{name}_short']!s:>10}")
    for name, value in metrics.items():
        if not name.endswith(("_full", "_short")):
            print(f"  {name:<32}{value!s:>20}")
