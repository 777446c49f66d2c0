"""How soon a cloned voice is heard: from a request sent to its first packet received.

    python -m bench first_packet [--quick] [--versions v2 ...] [--reference-s 3 5] [--threads 2]
                                 [--device cpu] [--roberta full] [--settings JSON] [--save]

One caller behind the gRPC door of `python -m tts serve`, a process apart; voices of full size with
random weights, whose utterances end when their text would have been spoken.  Measured, in this
order:

- cold: the first request to a service that has no voice in memory;
- rtf: the time to all of a sentence's audio over the audio's length, the service told not to rest
  while it is ahead of playback; and the CPU time of that;
- first: the first request after a service that loads its voice before it is ready;
- warm: the headline, short English (five words), and the other lengths and languages, taking turns;
- callers: two at once, one sentence after another; `underruns` counts over the warm short
  utterances and these how often playback that began with the first packet had to wait.

The first voice is that of the first version and the first length of reference; the others are asked
for short English only.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import random_folder, random_voice, services
from bench.listener import Door, Heard, hear_at_last
from bench.report import percentiles, result, table
from tts.types import SynthesisRequest

TARGETS = {"first_packet_ms_p95": 200, "rtf": 0.3}
TEXTS = {
    "en": {
        "short": (
            "Your table is ready now.",
            "I will check that quickly.",
            "Could you say that again?",
            "We are open until six.",
            "Thank you for calling us.",
        ),
        "medium": (
            "Your appointment is on Tuesday morning at half past nine with Doctor Miller.",
            "The parcel left our warehouse yesterday and should be with you by Friday noon.",
        ),
        "long": (
            "There are two trains this evening that still have seats. The first one leaves at a "
            "quarter past six from platform four, and you would be there a little after nine. The "
            "second one leaves an hour later, but you would have to change on the way, so I would "
            "take the first. Shall I book a window seat for you?",
        ),
    },
    "zh": {
        "short": ("好的，请您稍等一下。", "您好，我来帮您查询。", "谢谢您的来电。"),
        "medium": ("您的预约是星期二上午九点半，请提前十分钟到达门诊大厅。",),
        "long": (
            "今天晚上还有两趟列车有座位。第一趟六点一刻从四号站台出发，九点多就能到。"
            "第二趟晚一个小时，但是中途需要换乘，所以我建议您坐第一趟。需要我帮您订一个靠窗的座位吗？",
        ),
    },
}
HEADLINE = ("en", "short")
ENOUGH_S = 0.3
"""Of an utterance that is asked for its first packet alone."""
_WARM_UP = 3
_TWO_CALLERS_UTTERANCES, _QUICK_UTTERANCES = 6, 2
_UNHURRIED = {"limits": {"ahead_s": 60.0}, "scheduler": {"rest_s": 3600.0}}
"""A service that never waits for playback."""


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench; see `bench.__main__`."""
    options = _options(argv)
    with tempfile.TemporaryDirectory(prefix="parley-first-packet-") as folder:
        voices = make_voices(Path(folder), options)
        metrics = asyncio.run(_measured(Path(folder), voices, options))
    table(list(metrics.items()))
    return result(
        "first_packet",
        settings={
            "door": services.door_name(),
            "voices": voices,
            "weights": "random",
            "languages": options.languages,
            "roberta": options.roberta,
            "repeats": options.repeats,
            "service": options.settings,
        },
        metrics=metrics,
        targets=TARGETS,
        device=options.device,
        threads=options.threads,
    )


def make_voices(folder: Path, options: argparse.Namespace) -> list[str]:
    """Write the voices that the options ask for; returns their ids, the first one's first."""
    voices_dir, pretrained_dir = folder / "voices", folder / "pretrained"
    voices_dir.mkdir()
    if "zh" in options.languages:
        texts = [text for kinds in TEXTS["zh"].values() for text in kinds]
        random_folder.add_roberta(pretrained_dir, texts, full=options.roberta == "full")
    return [
        voice
        for version in options.versions
        for voice in random_folder.add_voices(
            voices_dir, version, options.reference_s, options.languages
        )
    ]


def settings_of(
    folder: Path, options: argparse.Namespace, *more: Mapping[str, Any]
) -> dict[str, Any]:
    """The service's settings: the voices of the folder, the options' own, and more."""
    settings: dict[str, Any] = {
        "engines": ["gpt-sovits"],
        "gpt_sovits": {
            "voices_dir": str(folder / "voices"),
            "pretrained_dir": str(folder / "pretrained"),
            "device": options.device,
            "threads": options.threads,
        },
    }
    for tables in (*more, options.settings):
        for name, value in tables.items():
            settings[name] = {**settings.get(name, {}), **value}
    return settings


async def _measured(
    folder: Path, voices: Sequence[str], options: argparse.Namespace
) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    async with services.service(settings_of(folder, options, _UNHURRIED)) as service:
        first = await hear_at_last(service.door, _request(voices[0], *HEADLINE, 0))
        metrics["first_packet_ms_cold"] = round(1000 * first.first_packet_s)
        _say(f"cold: {1000 * first.first_packet_s:.0f} ms")
        metrics |= await _rtf(service, voices[0], options.sentences)
        _say(f"rtf: {metrics['rtf']}")
    preload = {"gpt_sovits": {"preload": list(voices)}}
    async with services.service(settings_of(folder, options, preload)) as service:
        first = await hear_at_last(service.door, _request(voices[0], *HEADLINE, 0))
        metrics["first_packet_ms_first"] = round(1000 * first.first_packet_s)
        _say(f"first: {1000 * first.first_packet_s:.0f} ms")
        short = await _headline(service.door, voices[0], options.repeats)
        found = percentiles("", [1000 * one.first_packet_s for one in short])
        metrics |= {f"first_packet_ms{name}": value for name, value in found.items()}
        _say(f"warm: p95 {found['_p95']:.0f} ms")
        metrics["audio_s_p50"] = round(float(np.median([one.audio_s for one in short])), 2)
        metrics |= await _others(service.door, voices, options.languages, options.others)
        _say("other lengths, languages and voices: done")
        pair = await _two_callers(service.door, voices[0], options.utterances)
        metrics["rss_mb"] = round(service.rss_mb())
    metrics |= _underruns(short, pair)
    return metrics


def _say(line: str) -> None:
    print(line, flush=True)


async def _rtf(service: services.Service, voice: str, sentences: int) -> dict[str, Any]:
    """How long all of a sentence takes, by the wall and in CPU time, over its length."""
    await hear_at_last(service.door, _request(voice, "en", "medium", 0))
    shares, cpu_shares, lengths_s = [], [], []
    for number in range(sentences):
        cpu_s = service.cpu_s()
        one = await hear_at_last(service.door, _request(voice, "en", "medium", number))
        shares.append(one.last_packet_s / one.audio_s)
        cpu_shares.append((service.cpu_s() - cpu_s) / one.audio_s)
        lengths_s.append(one.audio_s)
    return {
        "rtf": round(float(np.median(shares)), 3),
        "rtf_max": round(max(shares), 3),
        "rtf_audio_s_p50": round(float(np.median(lengths_s)), 2),
        "cpu_s_per_audio_s": round(float(np.median(cpu_shares)), 3),
    }


async def _headline(door: Door, voice: str, repeats: int) -> list[Heard]:
    heard = [
        await hear_at_last(door, _request(voice, *HEADLINE, number))
        for number in range(_WARM_UP + repeats)
    ]
    return heard[_WARM_UP:]


async def _others(
    door: Door, voices: Sequence[str], languages: Sequence[str], repeats: int
) -> dict[str, Any]:
    """The first packets of the first voice's other texts and of the other voices."""
    cases = [
        (f"_{language}_{length}", voices[0], language, length)
        for language in languages
        for length in TEXTS[language]
        if (language, length) != HEADLINE
    ]
    cases += [(f"_{voice.lower().replace('-', '_')}", voice, *HEADLINE) for voice in voices[1:]]
    spent_ms: dict[str, list[float]] = {suffix: [] for suffix, *_ in cases}
    for number in range(1 + repeats):
        for suffix, voice, language, length in cases:
            request = _request(voice, language, length, number)
            one = await hear_at_last(door, request, most_s=ENOUGH_S)
            if number:  # the first of each warms up
                spent_ms[suffix].append(1000 * one.first_packet_s)
    return {
        f"first_packet_ms{statistic}{suffix}": value
        for suffix, values in spent_ms.items()
        for statistic, value in percentiles("", values).items()
    }


async def _two_callers(door: Door, voice: str, utterances: int) -> list[Heard]:
    """What two callers hear who listen at the same time."""

    async def caller(first: int) -> list[Heard]:
        heard: list[Heard] = []
        for number in range(first, first + utterances):
            one = await hear_at_last(door, _request(voice, "en", "medium", number))
            heard.append(one)
            played_s = one.first_packet_s + one.audio_s + sum(one.gaps_s)
            await asyncio.sleep(max(0.0, played_s - one.last_packet_s))
        return heard

    both = await asyncio.gather(caller(0), caller(1))
    return [one for heard in both for one in heard]


def _underruns(short: Sequence[Heard], pair: Sequence[Heard]) -> dict[str, Any]:
    found = percentiles("", [1000 * one.first_packet_s for one in pair])
    gaps_s = [gap_s for one in (*short, *pair) for gap_s in one.gaps_s]
    return {
        "underruns": sum(len(one.gaps_s) for one in short),
        "underruns_two_callers": sum(len(one.gaps_s) for one in pair),
        "refused": sum(one.refused for one in short),
        "refused_two_callers": sum(one.refused for one in pair),
        "gap_ms_max": round(1000 * max(gaps_s, default=0.0)),
        **{f"first_packet_ms{name}_two_callers": value for name, value in found.items()},
    }


def _request(voice: str, language: str, length: str, number: int) -> SynthesisRequest:
    texts = TEXTS[language][length]
    return SynthesisRequest(text=texts[number % len(texts)], voice=voice, language=language)


def add_service_options(parser: argparse.ArgumentParser) -> None:
    """What every bench of a whole service can be told."""
    parser.add_argument("--versions", nargs="+", choices=random_voice.NAMES, default=["v2"])
    parser.add_argument("--reference-s", nargs="+", type=float, help="seconds of the references")
    parser.add_argument("--languages", nargs="+", choices=[*TEXTS], default=[*TEXTS])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--roberta", choices=["small", "full"], default="small")
    parser.add_argument(
        "--settings", type=json.loads, default={}, metavar="JSON", help="of the service, besides"
    )
    parser.add_argument("--quick", action="store_true", help="few repeats")


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench first_packet")
    add_service_options(parser)
    parser.add_argument("--repeats", type=int, help="of the headline; 40, or 8 when quick")
    options = parser.parse_args(argv)
    options.repeats = options.repeats or (8 if options.quick else 40)
    options.others = 1 if options.quick else 8
    options.sentences = 2 if options.quick else 8
    options.utterances = _QUICK_UTTERANCES if options.quick else _TWO_CALLERS_UTTERANCES
    options.reference_s = options.reference_s or ([3.0] if options.quick else [3.0, 5.0])
    return options
