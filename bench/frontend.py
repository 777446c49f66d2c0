"""How often the text frontends say what the models were trained with: match rate per language.

    python -m bench frontend [--quick] [--golden DIR] [--text-folder DIR] [--open-jtalk DIR]

Rows are sentences with what upstream's frontends make of them (tests/golden/text, or another folder
of `*.jsonl` or `*.jsonl.xz`).  A row matches when the normalised text, all phones and, where there
are, the phones of each character are equal; a row of mixed text when all its runs are.  Counted
apart are rows that depend on a tagger (both readings are forced in turn and both must match), on
the language detector, or on the g2pW network (its stored answers are put in).  A rate is null where
the packages or the dictionary it needs are missing, and a line says which.

`match_rate_ja` is with the Open JTalk dictionary (`--open-jtalk`, or Debian's) and upstream's user
dictionary; `match_rate_ja_own_dictionary` with that of pyopenjtalk-plus, against the same phones;
`match_rate_ja_plus` the same against what upstream's code says with that package.
"""

import argparse
import json
import lzma
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.config import cache_dir
from bench.report import percentiles, result, table
from tts.carriers import upstream_text
from tts.text import readers
from tts.text.cutting import collapse, cut
from tts.text.frontend import Frontend
from tts.text.readers import FrontendFiles, Reader
from tts.text.symbols import symbols

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "text"
DEBIAN_JDIC = Path("/var/lib/mecab/dic/open-jtalk/naist-jdic")
TARGETS = {
    "match_rate_en": 0.98,
    "match_rate_zh": 0.97,
    "match_rate_mixed": 0.95,
    "match_rate_yue": 0.98,
    "match_rate_ko": 0.98,
    "match_rate_ja": 0.97,
}

# Rates without a target are for the record: their rows are not listed one by one.
TARGET_NAMES = {name.removeprefix("match_rate_") for name in TARGETS}

Row = Mapping[str, Any]
Check = Callable[[Row], bool]


def rows(name: str, golden: Path = GOLDEN) -> list[Row]:
    """The rows of one file, in order."""
    packed, plain = golden / f"{name}.jsonl.xz", golden / f"{name}.jsonl"
    if packed.exists():
        text = lzma.decompress(packed.read_bytes()).decode("utf-8")
    else:
        text = plain.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def reads(reader: Reader, row: Row, size: int, wanted: str = "phones") -> bool:
    """Whether a reader says of a row's text what the row says."""
    reading = reader(row["text"])
    counts = None if reading.counts is None else list(reading.counts)
    return (
        reading.said == row["norm_text"]
        and symbols(size).known(reading.phones) == row.get(wanted, row["phones"])
        and counts == row.get("word2ph")
    )


def english(files: FrontendFiles, golden: Path) -> Iterator[tuple[str, Row, Check]]:
    """English, and its rows with two readings."""
    from tts.text.en.g2p import English
    from tts.text.en.normal import normalise
    from tts.text.en.tables import load

    reader = readers.english(files)
    two = load(files.text_folder).homographs
    first = English(
        text_folder=files.text_folder,
        tagger=lambda words: [two[w.lower()].tag if w.lower() in two else "" for w in words],
    )
    second = English(text_folder=files.text_folder, tagger=lambda words: ["?" for _ in words])

    def both(row: Row) -> bool:
        said = normalise(row["text"])
        return said == row["norm_text"] and (first.phones(said), second.phones(said)) == (
            row["phones"],
            row["phones_second_reading"],
        )

    for row in rows("en", golden):
        if row["tagger_dependent"]:
            yield "en_two_readings", row, both
        else:
            yield "en", row, lambda row: reads(reader, row, 732)


def chinese(files: FrontendFiles, golden: Path) -> Iterator[tuple[str, Row, Check]]:
    """Chinese of v1 and v2; with the stored answers of g2pW apart."""
    from tts.text.zh import g2pw

    first = readers.chinese(FrontendFiles(), joins_er=False)
    later = readers.chinese(FrontendFiles(), joins_er=True)
    overrides = g2pw.overrides(files.text_folder or upstream_text())

    def answered(row: Row) -> bool:
        answers = {sentence: reading.split() for sentence, reading in row["g2pw_answers"]}
        reader = readers.mandarin(
            joins_er=True,
            sentences=lambda asked: [answers[sentence] for sentence in asked],
            overrides=overrides,
        )
        return reads(reader, row, 732)

    for row in rows("zh", golden):
        if row["path"] == "zh_v1":
            yield "zh", row, lambda row: reads(first, row, 322)
        elif row["path"] == "zh_v2_pypinyin":
            yield "zh", row, lambda row: reads(later, row, 732)
        else:
            yield "zh_g2pw_answers", row, answered


def japanese(files: FrontendFiles, golden: Path) -> Iterator[tuple[str, Row, Check]]:
    """Japanese with the dictionary that is there, and with the package's own."""
    own = readers.japanese(FrontendFiles())
    for row in rows("ja", golden):
        yield "ja_own_dictionary", row, lambda row: reads(own, row, 732)
        yield "ja_plus", row, lambda row: reads(own, row, 732, "phones_plus_nodic")
    if files.open_jtalk is None:
        raise ImportError("no Open JTalk dictionary: install open-jtalk-mecab-naist-jdic")
    reader = readers.japanese(files)
    for row in rows("ja", golden):
        yield "ja", row, lambda row: reads(reader, row, 732)


def plain(name: str, load: Callable[[FrontendFiles], Reader]) -> Any:
    """Rows of a language without conditions."""

    def checks(files: FrontendFiles, golden: Path) -> Iterator[tuple[str, Row, Check]]:
        reader = load(files)
        for row in rows(name, golden):
            yield name, row, lambda row: reads(reader, row, 732)

    return checks


def mixed(files: FrontendFiles, golden: Path) -> Iterator[tuple[str, Row, Check]]:
    """Text of several languages, every language code."""
    frontend = Frontend(732, files)

    def same(row: Row) -> bool:
        spoken = frontend.speak(row["text"], row["lang"])
        return [
            (
                run.language,
                run.norm_text,
                list(run.phones),
                None if run.word2ph is None else list(run.word2ph),
            )
            for run in spoken
        ] == [
            (run["lang"], run["norm_text"], run["phones"], run.get("word2ph"))
            for run in row["segments"]
        ]

    for row in rows("mixed", golden):
        if row.get("tagger_dependent"):
            yield "mixed_two_readings", row, same
        elif row["detector_independent"]:
            yield "mixed", row, same
        else:
            yield "mixed_detector", row, same


def cutting(_: FrontendFiles, golden: Path) -> Iterator[tuple[str, Row, Check]]:
    """The cutting methods; upstream's empty pieces are left out, and its errors mean no piece."""

    def same(row: Row) -> bool:
        text = collapse(row["text"])
        wanted = [] if row.get("error") else [piece for piece in row["pieces"] if piece]
        return text == row["after_collapse"] and wanted == cut(
            text, language=row["lang"], method=row["method"]
        )

    for row in rows("cut", golden):
        yield "cut", row, same


LANGUAGES: dict[str, Callable[[FrontendFiles, Path], Iterator[tuple[str, Row, Check]]]] = {
    "en": english,
    "zh": chinese,
    "mixed": mixed,
    "cut": cutting,
    "yue": plain("yue", readers.cantonese),
    "ko": plain("ko", readers.korean),
    "ja": japanese,
}


def measure(
    languages: Iterable[str], files: FrontendFiles, golden: Path, step: int = 1
) -> dict[str, Any]:
    """Match rates, row counts and times; `step` takes every n-th row."""
    metrics: dict[str, Any] = {}
    for language in languages:
        matched: defaultdict[str, list[bool]] = defaultdict(list)
        times_ms: defaultdict[str, list[float]] = defaultdict(list)
        try:
            for index, (name, row, check) in enumerate(LANGUAGES[language](files, golden)):
                if index % step:
                    continue
                began = time.perf_counter()
                matched[name].append(check(row))
                times_ms[name].append((time.perf_counter() - began) * 1000)
                if not matched[name][-1] and name in TARGET_NAMES:
                    print(f"  {name}: {row['id']} differs")
        except ImportError as error:
            print(f"  {language}: {error}")
            matched.setdefault(language, [])
        for name, found in matched.items():
            metrics[f"match_rate_{name}"] = round(sum(found) / len(found), 4) if found else None
            metrics[f"rows_{name}"] = len(found)
            metrics |= percentiles(f"read_ms_{name}", times_ms[name], digits=2)
    return metrics


def files_here(text_folder: Path | None = None, open_jtalk: Path | None = None) -> FrontendFiles:
    """The files on this machine."""
    dictionary = open_jtalk or (DEBIAN_JDIC if DEBIAN_JDIC.exists() else None)
    return FrontendFiles(text_folder=text_folder, open_jtalk=dictionary, cache=cache_dir({}))


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench and return its JSON object."""
    parser = argparse.ArgumentParser(prog="bench frontend", description="Match rate per language.")
    parser.add_argument("--quick", action="store_true", help="every fourth row")
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="folder of the rows")
    parser.add_argument("--text-folder", type=Path, help="upstream's GPT_SoVITS/text")
    parser.add_argument("--open-jtalk", type=Path, help="folder of the dictionary naist-jdic")
    parser.add_argument("--languages", nargs="+", choices=sorted(LANGUAGES), default=[*LANGUAGES])
    options = parser.parse_args(argv)
    files = files_here(options.text_folder, options.open_jtalk)
    metrics = measure(options.languages, files, options.golden, 4 if options.quick else 1)
    table([(name, value) for name, value in metrics.items() if name.startswith("match_rate")])
    return result(
        "frontend",
        settings={
            "quick": options.quick,
            "languages": options.languages,
            "open_jtalk_dictionary": files.open_jtalk is not None,
        },
        metrics=metrics,
        targets={name: f">= {target}" for name, target in TARGETS.items()},
    )
