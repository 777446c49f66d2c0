"""What one request speaks: pieces for light voices, passages for cloned ones."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runs import (
    MOST_RUN_CHARS,
    RUN_CHARS,
    ClauseRuns,
    PassageRuns,
    Run,
    Runs,
    UnrepeatedRuns,
    sentence_end,
)
from agent.unrepeated import Unrepeated
from tests import virtual_time


def written(text: str, *cuts: int, lead: str = " ") -> list[Run]:
    """The runs of one passage that comes in parts."""
    runs, begun = PassageRuns(lead=lead), list[Run]()
    edges = [0, *sorted(cuts), len(text)]
    for start, end in zip(edges, edges[1:], strict=False):
        begun += runs.write(text[start:end])
    return begun + runs.end_passage()


def texts(runs: list[Run]) -> list[str]:
    return [run.lead + run.text for run in runs]


def test_a_passage_is_one_run_that_grows() -> None:
    runs = PassageRuns(lead=" ")
    [run] = runs.write("Good mor")
    assert (run.text, run.complete) == ("Good mor", False)
    assert runs.write("ning.") == []
    assert run.text == "Good morning."
    assert runs.end_passage() == []
    assert run.complete


def test_the_next_passage_is_parted_from_the_one_before() -> None:
    runs = PassageRuns(lead=" ")
    first = runs.write("One moment.")
    runs.end_passage()
    second = runs.write("It is late.")
    assert texts(first + second) == [" One moment.", " It is late."]


def test_a_very_long_passage_is_parted_between_sentences() -> None:
    text = "A sentence of forty-five characters, like it. " * 80
    runs = written(text)
    assert "".join(run.text for run in runs) == text
    assert [run.lead for run in runs] == [" ", "", ""]
    assert all(run.text.endswith("like it.") and run.complete for run in runs[:-1])
    assert all(RUN_CHARS <= len(run.text) < RUN_CHARS + 50 for run in runs[:-1])


@pytest.mark.parametrize("word", ["word ", "字", "3.14159"])
def test_a_text_without_sentences_is_parted_all_the_same(word: str) -> None:
    text = word * (5000 // len(word))
    runs = written(text, 1700, 1850, 3600)
    assert "".join(run.text for run in runs) == text
    assert all(len(run.text) <= MOST_RUN_CHARS for run in runs)
    if " " in word:
        assert all(run.text.endswith("word") for run in runs[:-1])


@given(
    st.text(st.sampled_from('ab1 .!"”。」\n'), min_size=1, max_size=60),
    st.lists(st.integers(0, 60 * 60), max_size=6),
)
def test_runs_are_the_same_however_the_text_comes(part: str, cuts: list[int]) -> None:
    text = "Word" + part * 60
    whole = written(text)
    assert "".join(run.text for run in whole) == text
    assert texts(written(text, *(min(cut, len(text)) for cut in cuts))) == texts(whole)


def test_a_sentence_ends_before_the_space_that_follows() -> None:
    assert sentence_end("It is 3.5. Next", 0) == len("It is 3.5.")
    assert sentence_end('"Yes." Next', 0) == len('"Yes."')
    assert sentence_end("好。」下", 0) == len("好。」")
    assert sentence_end("A list:\none", 0) == len("A list:")
    assert sentence_end("It is 3.", 0) is None
    assert sentence_end("好。」", 0) is None


def test_a_light_voice_gets_pieces() -> None:
    runs = ClauseRuns("en", lead=" ")
    begun = runs.write("Yes. I will see to it that it is done. And")
    assert texts(begun + runs.end_passage()) == [
        " Yes.",
        " I will see to it that it is done.",
        " And",
    ]
    assert all(run.complete for run in begun)


def test_a_run_is_read_while_it_is_written() -> None:
    async def read() -> list[str]:
        run, got = Run("One"), list[str]()

        async def reader() -> None:
            async for text in run.texts(1):
                got.append(text)

        reading = asyncio.create_task(reader())
        for text in (" two", " three"):
            await asyncio.sleep(1)
            run.append(text)
        await asyncio.sleep(1)
        run.end()
        await reading
        return got

    assert virtual_time.run(read()) == ["ne", " two", " three"]


@pytest.mark.parametrize(("more", "goes_on"), [("…", False), (" two", True)])
def test_whether_a_run_goes_on_is_known_with_its_next_word_or_its_end(
    more: str, goes_on: bool
) -> None:
    async def ask() -> tuple[bool, bool]:
        run = Run("One")
        asking = asyncio.create_task(run.goes_on(3))
        await asyncio.sleep(1)
        known = asking.done()
        run.append(more)
        run.end()
        return known, await asking

    assert virtual_time.run(ask()) == (False, goes_on)


@pytest.mark.parametrize("rule", [ClauseRuns("en", lead=" "), PassageRuns(lead=" ")])
def test_only_the_first_passage_is_without_what_its_opener_said(rule: Runs) -> None:
    runs = UnrepeatedRuns(rule, Unrepeated("Let me see.", "en", apologises=False))
    first = [*runs.write("Let me check. It"), *runs.write(" is three."), *runs.end_passage()]
    assert [run.text for run in first] == ["It is three."]
    second = [*runs.write("Let me check."), *runs.end_passage()]
    assert [run.text for run in second] == ["Let me check."]
