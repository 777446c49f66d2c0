"""Scripted callers: the same for the same seed, unlike in the two halves, holding as people do."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from random import Random
from statistics import mean

import pytest

from bench.turns_world.baselines import Pauses, pauses_of, sweep_smart_turn, sweep_vad
from bench.turns_world.callers import scripts
from bench.turns_world.chinese import CHINESE
from bench.turns_world.english import ENGLISH
from bench.turns_world.grammar import KINDS, MARKS, Grammar
from bench.turns_world.scores import operating_points
from bench.turns_world.scripts import Half, Hold, Language, Script, Sound, Utterance, join
from bench.turns_world.speaking import SHORTEST_HOLD_S, Speaker

HALVES: tuple[Half, ...] = ("calibrate", "held_out")
GRAMMARS = (ENGLISH, CHINESE)
COUNT = 270


@cache
def of_half(half: Half) -> list[Script]:
    return scripts(14, half=half, count=COUNT)


def turns(half: Half, language: Language) -> list[Utterance]:
    mine = [script for script in of_half(half) if script.language == language]
    return [exchange.turn for script in mine for exchange in script.exchanges]


def length_s(hold: Hold) -> float:
    return hold.end_s - hold.start_s


def counted(half: Half, language: Language) -> list[Hold]:
    return [h for t in turns(half, language) for h in t.holds if 0.2 <= length_s(h) <= 5.0]


def sounds(half: Half) -> list[Sound]:
    return [s for script in of_half(half) for e in script.exchanges for s in e.sounds]


def test_the_same_seed_writes_the_same_scripts_and_another_seed_others() -> None:
    assert scripts(3, half="held_out", count=4) == scripts(3, half="held_out", count=4)
    assert scripts(3, half="held_out", count=4) != scripts(4, half="held_out", count=4)


def test_a_script_does_not_change_when_more_are_written() -> None:
    assert scripts(3, half="calibrate", count=9)[:4] == scripts(3, half="calibrate", count=4)


def test_an_unknown_half_and_no_scripts_are_refused() -> None:
    with pytest.raises(ValueError, match='half is "both", must be one of calibrate, held_out'):
        scripts(1, half="both", count=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="count is 0, must be at least 1"):
        scripts(1, half="calibrate", count=0)


def test_every_third_script_is_chinese() -> None:
    languages = Counter(script.language for script in of_half("calibrate"))
    assert languages == {"en": 2 * COUNT // 3, "zh": COUNT // 3}


def test_the_halves_share_no_family_and_each_uses_all_of_its_own() -> None:
    used = {half: {script.family for script in of_half(half)} for half in HALVES}
    assert used["calibrate"] & used["held_out"] == set()
    for half in HALVES:
        assert used[half] == {f.name for g in GRAMMARS for f in g.families if f.half == half}


def lines(grammar: Grammar, half: Half) -> list[str]:
    """Every line of a half, without the letter of its kind, and without one-word lines."""
    mine = [p for family in grammar.families if family.half == half for p in family.prompts]
    said = [answer.partition(" ")[2] for prompt in mine for answer in prompt.answers]
    said += [*grammar.tails[half], *grammar.interruptions[half], *grammar.side_talk[half]]
    return [line for line in said if len(line.split()) > 2 and not line.startswith("{")]


@pytest.mark.parametrize("grammar", GRAMMARS, ids=("en", "zh"))
def test_the_halves_share_no_line_of_three_words_and_no_slot_value(grammar: Grammar) -> None:
    shared = set(lines(grammar, "calibrate")) & set(lines(grammar, "held_out"))
    # What holds nothing but slots and filled pauses is the same wherever it is asked for.
    assert {line for line in shared if "{" not in line} == set()
    values = [{v for values in grammar.words[half].values() for v in values} for half in HALVES]
    assert values[0] & values[1] == set()


@pytest.mark.parametrize(("language", "most"), [("en", 0.40), ("zh", 0.32)])
def test_few_words_of_the_held_out_half_occur_in_the_other(language: Language, most: float) -> None:
    """Digits, letters and the little words of a language cannot but occur in both."""
    said = [{w.text.lower() for t in turns(half, language) for w in t.words} for half in HALVES]
    assert len(said[0] & said[1]) <= most * len(said[1])


def test_every_line_can_be_spoken() -> None:
    """No slot is missing in a half, no mark misspelt, no letter unknown."""
    for grammar in GRAMMARS:
        for half in HALVES:
            caller = of_half(half)[0].caller
            speaker = Speaker(grammar, half, caller)
            for prompt in (p for f in grammar.families if f.half == half for p in f.prompts):
                speaker.expand(Random(1), prompt.asks)
                for answer in prompt.answers:
                    assert answer.split()[0] in KINDS
            for line in lines(grammar, half):
                tokens = speaker.expand(Random(1), line).split()
                assert all(t in MARKS or t[0].isalnum() for t in tokens), line


def test_words_follow_each_other_and_only_holds_part_them() -> None:
    for half in HALVES:
        for turn in (t for language in ("en", "zh") for t in turns(half, language)):
            holds = {hold.after: hold for hold in turn.holds}
            assert len(holds) == len(turn.holds)
            for index, (word, following) in enumerate(pairwise(turn.words)):
                assert word.start_s < word.end_s
                if index in holds:
                    assert holds[index].start_s == word.end_s
                    assert holds[index].end_s == following.start_s
                    assert length_s(holds[index]) >= SHORTEST_HOLD_S - 1e-9
                else:
                    assert word.end_s == following.start_s
            assert len(turn.words) - 1 not in holds


def test_ids_of_what_is_said_are_unique() -> None:
    ids = [e.turn.id for half in HALVES for s in of_half(half) for e in s.exchanges]
    ids += [sound.id for half in HALVES for sound in sounds(half)]
    assert len(set(ids)) == len(ids)


# As in eot-bench.  About 700 turns scatter by as much as the tolerances; thousands come closer.


@pytest.mark.parametrize("half", HALVES)
def test_callers_hold_as_often_as_in_eot_bench(half: Half) -> None:
    assert len(counted(half, "en")) / len(turns(half, "en")) == pytest.approx(705 / 400, abs=0.15)
    assert len(counted(half, "zh")) / len(turns(half, "zh")) == pytest.approx(608 / 344, abs=0.2)


@cache
def pauses(half: Half, language: Language) -> Pauses:
    return pauses_of([s for s in of_half(half) if s.language == language], 1)


@pytest.mark.parametrize("half", HALVES)
def test_silence_alone_cuts_off_as_many_as_in_eot_bench(half: Half) -> None:
    english = operating_points(sweep_vad(pauses(half, "en")))
    assert english["false_cutoffs_at_300ms"] == pytest.approx(0.556, abs=0.04)
    assert english["false_cutoffs_at_600ms"] == pytest.approx(0.217, abs=0.03)
    assert english["delay_ms_at_10pct"] == pytest.approx(1000, abs=101)
    assert english["delay_ms_at_5pct"] == pytest.approx(1600, abs=401)
    chinese = operating_points(sweep_vad(pauses(half, "zh")))
    assert chinese["false_cutoffs_at_300ms"] == pytest.approx(0.512, abs=0.06)
    assert chinese["false_cutoffs_at_600ms"] == pytest.approx(0.163, abs=0.04)


@pytest.mark.parametrize("half", HALVES)
def test_smart_turn_alone_cuts_off_as_many_as_in_eot_bench(half: Half) -> None:
    english = operating_points(sweep_smart_turn(pauses(half, "en")))
    assert english["false_cutoffs_at_300ms"] == pytest.approx(0.352, abs=0.06)
    assert english["false_cutoffs_at_600ms"] == pytest.approx(0.148, abs=0.03)
    assert english["delay_ms_at_10pct"] == pytest.approx(739, abs=90)
    assert english["delay_ms_at_5pct"] == pytest.approx(1051, abs=200)
    chinese = operating_points(sweep_smart_turn(pauses(half, "zh")))
    assert chinese["false_cutoffs_at_300ms"] == pytest.approx(0.429, abs=0.06)
    assert chinese["false_cutoffs_at_600ms"] == pytest.approx(0.132, abs=0.035)


@pytest.mark.parametrize("half", HALVES)
def test_the_words_do_not_tell_holds_from_ends_too_cleanly(half: Half) -> None:
    for language in ("en", "zh"):
        complete = mean(hold.looks_complete for hold in counted(half, language))
        assert 0.28 <= complete <= 0.42
        unfinished = mean(not turn.looks_complete for turn in turns(half, language))
        assert 0.03 <= unfinished <= 0.12


def test_clause_ends_are_held_longer_than_the_middle_of_a_phrase() -> None:
    holds = counted("calibrate", "en") + counted("held_out", "en")
    by_kind = {
        kind: [length_s(h) for h in holds if h.kind == kind] for kind in {h.kind for h in holds}
    }
    assert mean(by_kind["clause"]) > 1.15 * mean(by_kind["mid-phrase"])
    assert mean(by_kind["asks for time"]) > 1.3 * mean(by_kind["clause"])


def test_slow_callers_are_slow_in_all_of_their_holds() -> None:
    slow, quick = [
        mean(
            length_s(hold)
            for script in of_half("calibrate")
            if lo <= script.caller.pause_scale < hi
            for exchange in script.exchanges
            for hold in exchange.turn.holds
        )
        for lo, hi in ((1.4, 99.0), (0.0, 0.75))
    ]
    assert slow > 1.6 * quick


# What happens on the line


def expected_kinds() -> Iterator[str]:
    yield from ("interruption", "backchannel", "cough", "laughter", "tic", "side talk", "tv")


@pytest.mark.parametrize("half", HALVES)
def test_every_kind_of_hold_turn_and_sound_occurs(half: Half) -> None:
    for language in ("en", "zh"):
        assert {h.kind for t in turns(half, language) for h in t.holds} == {
            k for k, _ in MARKS.values()
        }
        spoken = {turn.kind for turn in turns(half, language)}
        assert spoken == set(KINDS.values()) - {"interruption"}
    assert {sound.kind for sound in sounds(half)} == set(expected_kinds())
    cues = {sound.cue.of for sound in sounds(half)}
    assert cues == {"turn start", "turn end", "agent onset", "reply share", "reply end"}


@pytest.mark.parametrize("half", HALVES)
def test_interruptions_come_at_every_moment_of_a_reply(half: Half) -> None:
    interruptions = [sound for sound in sounds(half) if sound.kind == "interruption"]
    shares = sorted(s.cue.value for s in interruptions if s.cue.of == "reply share")
    onsets = sorted(s.cue.value for s in interruptions if s.cue.of == "agent onset")
    assert shares[0] < 0.08 and shares[-1] > 0.92
    assert max(after - before for before, after in pairwise(shares)) < 0.1
    assert onsets[0] < 0.2
    assert {len(s.speech.words) for s in interruptions if s.speech} >= {1, 2, 5}
    assert all(sound.reply for sound in interruptions)


@pytest.mark.parametrize("half", HALVES)
def test_lines_differ(half: Half) -> None:
    echoes = [script.caller.echo_db for script in of_half(half)]
    levels = [level for level in echoes if level is not None]
    assert 0.3 < mean(level is None for level in echoes) < 0.7
    assert min(levels) < -30 and max(levels) > -15 and -35 <= min(levels) and max(levels) <= -12
    side_talk = [s.level_db for s in sounds(half) if s.kind == "side talk"]
    assert min(side_talk) < -15 and max(side_talk) > -9


@pytest.mark.parametrize("half", HALVES)
def test_after_a_sound_in_silence_the_caller_waits_for_what_the_agent_does(half: Half) -> None:
    for script in of_half(half):
        for exchange, following in pairwise(script.exchanges):
            for sound in exchange.sounds:
                if sound.cue.of == "reply end":
                    assert following.gap_s > sound.cue.value + sound.duration_s + 2.2


def test_the_agent_asks_on_from_what_it_has_said() -> None:
    for exchange, following in pairwise(of_half("held_out")[0].exchanges):
        ends = [sound.reply for sound in exchange.sounds if sound.reply] or [exchange.reply]
        assert following.said == ends[-1]


def test_chinese_is_written_without_spaces_but_between_latin_words() -> None:
    assert join(("我", "是", "A", "B", "号"), "zh") == "我是A B号"
    assert join(("I", "am", "B"), "en") == "I am B"
