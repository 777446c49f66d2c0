"""Train and judge the model of the words: is a turn with these words over?

    python -m bench turns_text [--corpora FOLDER] [--train] [--quick]

Without --train it judges the weights in the tree on held-back sentences.  FOLDER holds copies of
public corpora, none of which is in this repository; what is missing is left out:

    clinc/data_full.json             CLINC OOS, CC BY 3.0
    polyai/banking_data/*.csv        PolyAI Banking77, CC BY 4.0
    polyai/span_extraction/restaurant8k/*.json   PolyAI Restaurant8k, CC BY 4.0
    chatterbot/english/*.yml, chatterbot/chinese/*.yml   chatterbot-corpus, BSD
    crosswoz/*.json                  CrossWOZ (validation and test), Apache 2.0
    kdconv/{film,music,travel}/*.json   KdConv (development and test), Apache 2.0
    evi/dialogues.en.tsv             PolyAI EVI, CC BY 4.0: only judged on, never trained on

Positives are whole utterances.  Negatives are the same utterances cut where people pause: behind
sentences and clauses, ahead of conjunctions, behind small words and behind hesitations.  Both have
equal weight, so the probability that comes out is that of even odds.  Whole utterances fall by a
hash into training (70 %), calibration (15 %) and held back (15 %); our own by their template, but
for the shortest replies, of which a language has a list.
"""

import argparse
import csv
import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agent.turns import completeness
from agent.turns.reading import read
from agent.turns.tokens import tokens
from bench import turns_text_own
from bench.report import result

Part = Literal["train", "calibrate", "held_out"]
LANGUAGES = ("en", "zh")
_WEIGHTS = Path(completeness.__file__).with_name(completeness.WEIGHTS)
_SMALL = {
    "en": set(
        "a an the my your his her our their this that to of for with in on at from by and or but "
        "if because so when i you he she it we they is are was were am be can could will would do "
        "does did have has had i'm i'd i'll i've it's want need like not very".split()
    ),
    "zh": set(
        "我 你 您 他 的 是 在 把 给 想 要 和 跟 有 那 这 就 也 还 都 能 会 去 到 从 请 让 因为 "
        "但是 如果 所以 然后 可以 一个".split()
    ),
}
_JOINS = {
    "en": set("and but or because so if when which that then".split()),
    "zh": set("但是 可是 因为 所以 如果 然后 还有 或者 而且 就 不过".split()),
}
_FILLERS = {
    "en": ("um", "uh", "like", "you know", "i mean", "well", "so", "let me see"),
    "zh": ("嗯", "呃", "那个", "就是", "然后", "这个", "怎么说"),
}


@dataclass(frozen=True, slots=True)
class Example:
    """Words, whether the turn ends with them, and how much the example counts."""

    text: str
    over: bool
    weight: float
    part: Part
    source: str


# Corpora


def _clinc(folder: Path) -> Iterator[str]:
    for rows in json.loads((folder / "data_full.json").read_text("utf-8")).values():
        yield from (text for text, _ in rows)


def _banking(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as table:
            yield from (row["text"].strip() for row in csv.DictReader(table))


def _restaurant(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.json")):
        yield from (row["userInput"]["text"] for row in json.loads(path.read_text("utf-8")))


def _crosswoz(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.json")):
        for dialogue in json.loads(path.read_text("utf-8")).values():
            for message in dialogue["messages"]:
                if message["role"] == "usr":
                    yield message["content"]


def _kdconv(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*/*.json")):
        for dialogue in json.loads(path.read_text("utf-8")):
            yield from (message["message"] for message in dialogue["messages"])


def _chatterbot(folder: Path) -> Iterator[str]:
    """The lines of its conversations; the files are lists of lists in a simple form of YAML."""
    for path in sorted(folder.glob("*.yml")):
        for line in path.read_text("utf-8").splitlines():
            if found := re.match(r"\s*-\s+(?:-\s+)?(.+)", line):
                yield found.group(1).strip("'\" ")


_CORPORA = {
    "en": {
        "clinc": ("clinc", _clinc),
        "banking": ("polyai/banking_data", _banking),
        "restaurant8k": ("polyai/span_extraction/restaurant8k", _restaurant),
        "chatterbot": ("chatterbot/english", _chatterbot),
    },
    "zh": {
        "crosswoz": ("crosswoz", _crosswoz),
        "kdconv": ("kdconv", _kdconv),
        "chatterbot": ("chatterbot/chinese", _chatterbot),
    },
}
_LONGEST = {"en": 40, "zh": 60}
_OWN_WEIGHT = {"en": 6.0, "zh": 10.0}
"""Our own utterances are the nearest to what callers say, and few."""
_REPLY_SHARE = 0.2
"""Of all turns: replies as short as "yes" or "thank you" are next to nothing of the corpora.  They
are a closed class, so none is held back."""
_REPLY_TOKENS = {"en": 3, "zh": 4}


def examples(language: str, corpora: Path | None) -> Iterator[Example]:
    """All examples of a language; the same on every run."""
    replies: list[tuple[str, float]] = []
    mass = 0.0
    for example in _longer(language, corpora, replies):
        mass += example.weight if example.over else 0.0
        yield example
    unit = mass * _REPLY_SHARE / (1 - _REPLY_SHARE) / sum(share for _, share in replies)
    for text, share in replies:
        # Each side of the split gets its share of the whole mass.
        yield Example(text, True, unit * share * 0.7, "train", "replies")
        yield Example(text, True, unit * share * 0.15, "calibrate", "replies")


def _longer(
    language: str, corpora: Path | None, replies: list[tuple[str, float]]
) -> Iterator[Example]:
    """All but the shortest of our own utterances, which go into `replies`."""
    weight = _OWN_WEIGHT[language]
    for own in turns_text_own.utterances(language):
        space = " " if language == "en" else ""
        if len(own.parts) == 1 and len(tokens(own.parts[0], language)) <= _REPLY_TOKENS[language]:
            replies.append((own.parts[0], 1 / own.siblings))
            continue
        yield from _from_parts(list(own.parts), space, _part(own.family), "own", weight)
    if corpora is None:
        return
    for source, (place, lines) in _CORPORA[language].items():
        if not (corpora / place).is_dir():
            continue
        for text in sorted(set(lines(corpora / place))):
            if 1 <= len(tokens(text, language)) <= _LONGEST[language]:
                made = _from_text(text, language, source)
                yield from (example for example in made if tokens(example.text, language))


def _from_parts(
    parts: list[str], space: str, part: Part, source: str, weight: float
) -> Iterator[Example]:
    yield Example(space.join(parts), True, weight, part, source)
    for end in range(1, len(parts)):
        share = weight / (len(parts) - 1)
        yield Example(space.join(parts[:end]), False, share, part, source)


def _from_text(text: str, language: str, source: str) -> Iterator[Example]:
    part = _part(text)
    chance = random.Random(text)
    pieces = _pieces(text, language)
    yield Example(_unpunctuated(pieces), True, 1.0, part, source)
    if len(pieces) < 2:
        return
    odds = [_pause_odds(pieces, index, language) for index in range(1, len(pieces))]
    cuts = set(chance.choices(range(1, len(pieces)), odds, k=2))
    for cut in cuts:
        said = _unpunctuated(pieces[:cut])
        if chance.random() < 0.15:
            filler = chance.choice(_FILLERS[language])
            said = f"{said} {filler}" if language == "en" else said + filler
        yield Example(said, False, 1.0 / len(cuts), part, source)


def _pieces(text: str, language: str) -> list[str]:
    """Words, each with the space and the punctuation behind it."""
    if language == "en":
        return re.findall(r"\S+\s*", text)
    import jieba

    pieces: list[str] = []
    for word in jieba.cut(text):
        if pieces and re.fullmatch(r"\W+", word):
            pieces[-1] += word
        else:
            pieces.append(word)
    return pieces


def _pause_odds(pieces: list[str], cut: int, language: str) -> float:
    """How readily people pause ahead of piece `cut`: relative, after Goldman-Eisler (1968),
    "Psycholinguistics": at clauses most, within phrases behind small words, elsewhere seldom."""
    before, after = pieces[cut - 1].strip(), pieces[cut].strip()
    if before.endswith((".", "?", "!", "。", "？", "！")):
        return 4.0
    if before.endswith((",", ";", "，", "、", "；")):
        return 3.0
    bare = re.sub(r"\W+$", "", after.lower())
    if bare in _JOINS[language]:
        return 2.5
    return 1.2 if before.lower() in _SMALL[language] else 0.4


def _unpunctuated(pieces: Iterable[str]) -> str:
    return re.sub(r"[^\w\s'’@-]+", " ", "".join(pieces)).strip()


def _part(key: str) -> Part:
    place = hashlib.sha256(key.encode()).digest()[1]
    return "train" if place < 179 else "calibrate" if place < 218 else "held_out"


# Training


def train(language: str, found: list[Example]) -> dict[str, NDArray[Any]]:
    """Logistic regression over hashed features, then the line that calibrates its sums."""
    random_ = np.random.default_rng(1)
    rows = [row for example in found if example.part == "train" for row in _noisy(example)]
    features = _features([tokens(row.text, language) for row in rows], language)
    over = np.array([row.over for row in rows], np.float64)
    counts = _even([row.weight for row in rows], over)
    weights = np.zeros(completeness.BUCKETS + 1)
    squares = np.full(completeness.BUCKETS + 1, 1e-6)
    for _ in range(12):
        # Drawn by weight: a step as long as a heavy example's weight would spoil its neighbours.
        order = random_.choice(len(rows), len(rows), p=counts)
        for batch in np.array_split(order, max(1, len(rows) // 512)):
            at = features[batch]
            chance = 1 / (1 + np.exp(-weights[at].sum(axis=1)))
            slope = chance - over[batch]
            step = np.zeros_like(weights)
            np.add.at(step, at, slope[:, None])
            seen = np.unique(at)
            step[seen] += 0.6 * weights[seen] * len(batch) / 512
            squares[seen] += step[seen] ** 2
            weights[seen] -= 0.15 * step[seen] / np.sqrt(squares[seen])
            weights[-1] = 0
    unit = float(np.abs(weights).max()) / 127
    small = np.round(weights[:-1] / unit).astype(np.int8)
    return {language: small, f"{language}_line": _line(language, found, small, unit)}


def _noisy(example: Example) -> Iterator[Example]:
    """The example, and as a recogniser might have it: with a word left out."""
    yield example
    words = example.text.split()
    chance = random.Random(example.text)
    if len(words) > 3 and chance.random() < 0.3:
        del words[chance.randrange(len(words) - 1)]
        yield Example(" ".join(words), example.over, example.weight / 2, "train", example.source)


def _features(said: list[list[str]], language: str) -> NDArray[np.int64]:
    """[examples, features]; rows that are shorter end in the bucket whose weight stays 0."""
    rows = [completeness.buckets(words, language) for words in said]
    table = np.full((len(rows), max(map(len, rows))), completeness.BUCKETS)
    for index, row in enumerate(rows):
        table[index, : len(row)] = row
    return table


def _line(
    language: str, found: list[Example], small: NDArray[np.int8], unit: float
) -> NDArray[np.float64]:
    """Unit of the weights, slope and offset: Platt's scaling on the calibration part."""
    rows = [example for example in found if example.part == "calibrate"]
    at = _features([tokens(row.text, language) for row in rows], language)
    sums = np.append(small, 0)[at].sum(axis=1) * unit
    over = np.array([row.over for row in rows], np.float64)
    counts = _even([row.weight for row in rows], over)
    slope, offset = 1.0, 0.0
    for _ in range(4000):
        error = (1 / (1 + np.exp(-(slope * sums + offset))) - over) * counts
        slope -= 0.3 * float((error * sums).sum()) / 4
        offset -= 0.3 * float(error.sum())
    return np.array([unit, slope, offset])


def _even(weights: list[float], over: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights under which both outcomes count half; their sum is 1."""
    counts = np.array(weights)
    for outcome in (0, 1):
        counts[over == outcome] /= 2 * counts[over == outcome].sum()
    return counts


# Judging


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures over weighted examples, as many ends as pauses."""

    auc: float
    accuracy: float
    brier: float
    calibration_error: float
    """Mean distance between what was said and what came true, in ten equal bins."""
    table: tuple[tuple[float, float, float], ...]
    """For each bin: mean probability, share that was over, share of all examples."""


def judge(chances: NDArray[np.float64], over: NDArray[np.float64], weights: list[float]) -> Judged:
    """How good the probabilities are."""
    counts = _even(weights, over)
    order = np.argsort(chances, kind="stable")
    below = np.cumsum(np.where(over[order] == 0, counts[order], 0))
    area = float((below * np.where(over[order] == 1, counts[order], 0)).sum() / below[-1] * 2)
    right = float(counts[(chances >= 0.5) == (over == 1)].sum())
    brier = float((counts * (chances - over) ** 2).sum())
    bins = np.minimum((chances * 10).astype(int), 9)
    table, error = [], 0.0
    for index in range(10):
        inside = bins == index
        mass = float(counts[inside].sum())
        if mass:
            said = float((counts * chances)[inside].sum() / mass)
            came = float((counts * over)[inside].sum() / mass)
            table.append((said, came, mass))
            error += mass * abs(said - came)
    return Judged(area, right, brier, error, tuple(table))


def _judge_sources(language: str, found: list[Example]) -> dict[str, Judged]:
    held = [example for example in found if example.part == "held_out"]
    chances = np.array([read(example.text, language).complete for example in held])
    over = np.array([example.over for example in held], np.float64)
    judged = {"all": judge(chances, over, [example.weight for example in held])}
    for source in sorted({example.source for example in held}):
        inside = np.array([example.source == source for example in held])
        weights = [example.weight for example in held if example.source == source]
        judged[source] = judge(chances[inside], over[inside], weights)
    return judged


_EVI_QUESTIONS = {
    "postcode": "Could you tell me your postcode please?",
    "name": "What is your first and last name?",
    "dob": "What is your date of birth?",
}


def _judge_answers(corpora: Path) -> dict[str, Judged]:
    """Real callers' postcodes and dates of birth, whole and cut behind any of their words.

    Names are left out: one word of a name is a whole answer as often as not.
    """
    judged = {}
    with (corpora / "evi" / "dialogues.en.tsv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    for item in ("postcode", "dob"):
        texts = sorted({row["transcription"] for row in rows if row["item"] == item})
        chances, over, weights = [], [], []
        for text in texts:
            words = text.split()
            if len(words) < 3:
                continue
            for end in range(1, len(words) + 1):
                said = " ".join(words[:end])
                chances.append(read(said, "en", said=_EVI_QUESTIONS[item]).complete)
                over.append(float(end == len(words)))
                weights.append(1.0 if end == len(words) else 1 / (len(words) - 1))
        judged[item] = judge(np.array(chances), np.array(over), weights)
    return judged


def main(argv: list[str]) -> dict[str, Any]:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m bench turns_text")
    parser.add_argument("--corpora", type=Path, help="folder with copies of the corpora")
    parser.add_argument("--train", action="store_true", help="write new weights into the tree")
    parser.add_argument("--quick", action="store_true", help="our own utterances only")
    args = parser.parse_args(argv)
    corpora = None if args.quick else args.corpora
    found = {language: list(examples(language, corpora)) for language in LANGUAGES}
    if args.train:
        tables: dict[str, NDArray[Any]] = {}
        for language in LANGUAGES:
            tables |= train(language, found[language])
        np.savez_compressed(_WEIGHTS, **tables)  # type: ignore[arg-type]
        completeness.tables.cache_clear()
    metrics: dict[str, float] = {}
    for language in LANGUAGES:
        for source, judged in _judge_sources(language, found[language]).items():
            _print(f"{language} {source}", judged)
            if source == "all":
                metrics |= _metrics(language, judged)
    if corpora is not None and (corpora / "evi").is_dir():
        for item, judged in _judge_answers(corpora).items():
            _print(f"en callers' {item}", judged)
            metrics |= _metrics(f"en_{item}", judged)
    settings = {"corpora": corpora is not None, "trained": args.train}
    return result("turns_text", settings=settings, metrics=metrics, targets={})


def _metrics(name: str, judged: Judged) -> dict[str, float]:
    return {
        f"auc_{name}": round(judged.auc, 4),
        f"accuracy_{name}": round(judged.accuracy, 4),
        f"brier_{name}": round(judged.brier, 4),
        f"calibration_error_{name}": round(judged.calibration_error, 4),
    }


def _print(name: str, judged: Judged) -> None:
    print(
        f"{name:24} AUC {judged.auc:.3f}  accuracy {judged.accuracy:.3f}  "
        f"Brier {judged.brier:.3f}  calibration error {judged.calibration_error:.3f}"
    )
    if " all" in name:
        bins = "  ".join(f"{said:.2f}:{came:.2f}" for said, came, _ in judged.table)
        print(f"{'':24} said:came true  {bins}")
