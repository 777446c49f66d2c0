"""A persona with a cloned voice: its answer is spoken as one text while it is written."""

import asyncio

import pytest

from agent.tools.registry import Toolbox, ToolContext, ToolRegistry
from tests.conversations.harness import PERSONA, Call
from tests.fakes.llm import Fail, FakeLlm, Say, Use
from tests.fakes.tts import FakeTts

ANSWER = "Well, there are five of them. One is red; two are blue, and the others are green."
SPOKEN = "Well there are five of them One is red two are blue and the others are green"


def a_call(*answers: Say | Use | Fail, **options: object) -> Call:
    """A call that asks once, from 1.0 s on."""
    call = Call(
        llm=FakeLlm(list(answers) or [Say(ANSWER)]),
        voice_takes_passages=True,
        **options,  # type: ignore[arg-type]
    )
    call.says("go on", at=1.0)
    return call


def shown(call: Call) -> str:
    """The text of the page."""
    return "".join(note["text"] for _, note in call.notes("agent-text"))


def slow_tool() -> Toolbox:
    async def lookup(context: ToolContext) -> str:
        """Look something up."""
        await asyncio.sleep(4.0)
        return "forty two"

    registry = ToolRegistry()
    registry.add(lookup)
    return registry.toolbox(["lookup"], ToolContext("call", "en"))


def test_an_answer_is_one_text_to_the_voice() -> None:
    call = a_call().run(until=12)
    assert [request.text for request in call.tts.passages] == [ANSWER]
    assert call.tts.requests == []
    assert call.words() == SPOKEN
    assert call.context()[-1] == ("assistant", ANSWER)
    assert shown(call) == ANSWER


def test_the_voice_begins_while_the_model_writes() -> None:
    call = a_call()
    call.llm.per_token_s = 0.4
    call.run(until=12)
    [(finished_s, _)] = call.log.named("llm_finished")
    assert call.words() == SPOKEN
    assert call.sounded()[0][0] < finished_s - 5


def test_what_is_there_from_the_start_is_one_request() -> None:
    persona = PERSONA.model_copy(update={"greeting": "Good morning. How can I help?"})
    call = Call(persona=persona, voice_takes_passages=True).run(until=5)
    assert [request.text for request in call.tts.requests] == [persona.greeting]
    assert call.tts.passages == []
    assert call.words() == "Good morning How can I help"


@pytest.mark.parametrize("marks_late", [False, True])
@pytest.mark.parametrize("tenths", range(17, 60, 13))
def test_an_interruption_keeps_what_was_heard(tenths: int, marks_late: bool) -> None:
    call = a_call(Say(ANSWER), Say("New answer."), tts=FakeTts(marks_late=marks_late))
    call.says("stop please", at=tenths / 10)
    call.run(until=tenths / 10 + 8)
    words = call.words().split()
    assert words[-2:] == ["New", "answer"]
    assert words[:-2] == SPOKEN.split()[: len(words) - 2]
    remembered = [text for role, text in call.context() if role == "assistant"][:-1]
    heard = remembered[0].rstrip("—") if remembered else ""
    assert ANSWER.startswith(heard)
    assert abs(len(heard.split()) - (len(words) - 2)) <= 1


def test_after_a_false_alarm_the_rest_is_said_once() -> None:
    call = a_call()
    call.coughs(at=2.8, duration_s=0.6)
    call.run(until=16)
    words = call.words().split()
    assert (words[0], words[-1]) == ("Well", "green")
    # The word that was cut may be said again.
    assert [word for n, word in enumerate(words) if word != words[n - 1]] == SPOKEN.split()


def test_a_text_ends_before_a_tool_so_that_all_of_it_is_said() -> None:
    answers = (Use("lookup", after="I will have a look"), Say("It is forty two."))
    call = a_call(*answers, toolbox=slow_tool()).run(until=14)
    assert call.words() == "I will have a look One moment let me check It is forty two"
    spoken = sorted(request.text for request in (*call.tts.passages, *call.tts.requests))
    assert spoken == ["I will have a look", "It is forty two.", "One moment, let me check."]
    assert shown(call) == "I will have a look One moment, let me check. It is forty two."
    [(done_s, _)] = call.log.named("tool_done")
    assert next(at for at, word in call.sounded() if word == "check") < done_s


@pytest.mark.parametrize("marks_late", [False, True])
@pytest.mark.parametrize("words", [0, 1, 6, 15])
def test_a_voice_that_dies_says_the_rest_once_when_it_is_back(words: int, marks_late: bool) -> None:
    call = a_call(tts=FakeTts(dies_after_words=words, marks_late=marks_late))
    call.at(5.0, lambda: setattr(call.tts, "down", False))
    call.run(until=18)
    said = call.words().split()
    if marks_late and words:
        assert said.pop(words) == said[words - 1]  # nobody knew that it was said
    assert said == SPOKEN.split()
    assert call.context()[-1] == ("assistant", ANSWER)
    assert shown(call) == ANSWER


def test_a_voice_that_dies_while_the_model_writes_goes_on_with_both() -> None:
    call = a_call(tts=FakeTts(dies_after_words=3))
    call.llm.per_token_s = 0.4
    call.at(4.0, lambda: setattr(call.tts, "down", False))
    call.run(until=18)
    assert call.words() == SPOKEN
    first, second = (request.text for request in call.tts.passages)
    assert first.startswith("Well, there are")
    assert second == ANSWER.removeprefix("Well, there are")


def test_a_refused_answer_is_asked_for_again() -> None:
    call = a_call(tts=FakeTts(refuses=5)).run(until=12)
    assert call.words() == SPOKEN
    assert [fields["code"] for _, fields in call.log.named("tts_lost")] == ["overloaded"] * 5


def test_an_answer_that_stays_refused_is_reported_and_the_next_turn_works() -> None:
    call = a_call(Say(ANSWER), Say("I am back."), tts=FakeTts(refuses=10_000))
    call.at(11.0, lambda: setattr(call.tts, "refuses", 0))
    call.says("hello again", at=12.0)
    call.run(until=18)
    assert [note["code"] for _, note in call.notes("notice")] == ["tts-down"]
    assert call.words() == "I am back"
    assert "Well" not in str(call.context())


def test_a_sentence_the_engine_cannot_speak_is_skipped() -> None:
    answer = "Good start. Bad middle part here. Good end."
    call = a_call(Say(answer), tts=FakeTts(broken={"Bad middle"}))
    call.llm.per_token_s = 0.0
    call.run(until=9)
    assert call.words() == "Good start Good end"
    assert call.context()[-1] == ("assistant", "Good start. Good end.")
    assert shown(call) == answer


def test_a_very_long_answer_is_several_texts_that_lose_nothing() -> None:
    answer = "Another sentence of seven words is here. " * 50
    call = a_call(Say(answer), tts=FakeTts(word_s=0.02)).run(until=14)
    texts = [request.text for request in (*call.tts.passages, *call.tts.requests)]
    assert "".join(texts).strip() == answer.strip()
    assert all(text.endswith("here.") and len(text) < 1600 for text in texts[:-1])
    assert len(texts) == 2
    assert call.words().split() == answer.replace(".", "").split()


def test_a_very_long_greeting_is_several_requests_that_lose_nothing() -> None:
    greeting = "Another sentence of seven words is here. " * 50
    persona = PERSONA.model_copy(update={"greeting": greeting})
    call = Call(persona=persona, voice_takes_passages=True, tts=FakeTts(word_s=0.02))
    call.run(until=12)
    assert "".join(request.text for request in call.tts.requests) == greeting
    assert len(call.tts.requests) == 2 and call.tts.passages == []
    assert call.context()[-1] == ("assistant", greeting.strip())


def test_a_very_long_answer_is_not_written_far_ahead_of_the_voice() -> None:
    call = a_call(Say("Another sentence of seven words is here. " * 200)).run(until=20)
    assert call.llm.tokens_sent < 250


def test_a_text_without_words_in_it_stops_nobody() -> None:
    call = a_call(Say("Well" + " !?" * 250 + " done."))
    call.llm.per_token_s = 0.01
    call.run(until=12)
    assert call.words() == "Well done"
    call = a_call(Say("?! " * 250), Say("I am back."))
    call.llm.per_token_s = 0.01
    call.says("hello", at=10.0)
    assert call.run(until=15).words() == "I am back"


def test_a_model_that_breaks_off_has_its_words_spoken_first() -> None:
    call = a_call(Fail(after="The answer is forty")).run(until=12)
    assert call.words().startswith("The answer is forty Sorry")


@pytest.mark.parametrize("at_s", [1.2, 2.0, 2.4, 3.0])
def test_hanging_up_at_any_stage_leaves_nothing_running(at_s: float) -> None:
    call = a_call()
    call.hangs_up_at = at_s
    assert call.run(until=30).reason == "hung up"
