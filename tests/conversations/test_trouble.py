"""When a part breaks: the call lives, the caller is told, and the next turn works."""

import asyncio

import pytest

from agent.tools.builtin import builtin_registry
from agent.tools.registry import ToolContext, ToolRegistry
from tests.conversations.harness import Call
from tests.fakes.llm import Fail, FakeLlm, Say, Use


def test_a_model_that_is_down_is_apologised_for_and_used_again() -> None:
    call = Call(llm=FakeLlm([Fail(), Say("Back again.")]))
    call.says("hello", at=1.0)
    call.says("hello again", at=8.0)
    call.run(until=14)
    assert call.words().startswith("Sorry I can't think straight right now")
    assert call.words().endswith("Back again")
    assert [note["code"] for _, note in call.notes("notice")] == ["llm-down"]


def test_a_model_that_breaks_off_has_its_words_spoken_first() -> None:
    call = Call(llm=FakeLlm([Fail(after="The answer is forty two.")]))
    call.says("what is it", at=1.0)
    call.run(until=12)
    assert call.words().startswith("The answer is forty two Sorry")


def test_a_cough_while_the_model_thinks_does_not_cost_the_answer() -> None:
    call = Call(llm=FakeLlm(first_token_s=2.0))
    call.says("hello", at=1.0)
    call.coughs(at=2.2, duration_s=0.3)
    call.run(until=10)
    assert call.words() == "Okay"
    assert call.context() == [("user", "hello"), ("assistant", "Okay.")]


def test_a_noise_behind_all_that_a_slow_model_has_written_makes_it_go_on() -> None:
    llm = FakeLlm([Say("One. Two. Three."), Say("Two. Three.")], per_token_s=2.5)
    call = Call(llm=llm)
    call.says("count", at=1.0)
    call.coughs(at=4.6, duration_s=1.2)
    call.run(until=13)
    assert call.words() == "One Two Three"
    assert "Go on from there." in call.llm.asked[-1][-1]["content"]


def test_a_cough_while_a_tool_runs_does_not_cost_the_answer() -> None:
    async def lookup(context: ToolContext) -> str:
        """Look something up."""
        await asyncio.sleep(0.9)
        return "forty two"

    registry = ToolRegistry()
    registry.add(lookup)
    tools = registry.toolbox(["lookup"], ToolContext("call", "en"))
    call = Call(llm=FakeLlm([Use("lookup"), Use("lookup"), Say("It is here.")]), toolbox=tools)
    call.says("look it up", at=1.0)
    call.coughs(at=2.4, duration_s=0.3)
    call.run(until=12)
    assert call.words().endswith("It is here")


def test_an_empty_answer_is_not_silence() -> None:
    call = Call(llm=FakeLlm([Say("")]))
    call.says("hello", at=1.0)
    call.run(until=8)
    assert call.words().startswith("Sorry I didn't catch that")


def test_a_voice_that_dies_in_a_sentence_says_the_rest_of_it_when_it_is_back() -> None:
    call = Call(
        llm=FakeLlm([Say("Short one. And then a second sentence with many words. The end.")])
    )
    call.tts.dies_after_words = 4
    call.says("go", at=1.0)
    call.at(5.0, lambda: setattr(call.tts, "down", False))
    call.run(until=15)
    assert call.words() == "Short one And then a second sentence with many words The end"
    assert call.reason == "test over"


def test_a_voice_that_was_down_before_a_piece_says_it_when_it_is_back() -> None:
    call = Call(llm=FakeLlm([Say("I am here.")]))
    call.tts.down = True
    call.says("hello", at=1.0)
    call.at(4.0, lambda: setattr(call.tts, "down", False))
    call.run(until=9)
    assert call.words() == "I am here"


def test_a_voice_that_stays_away_is_reported_and_the_next_turn_works() -> None:
    call = Call(llm=FakeLlm([Say("Lost words."), Say("I am back.")]))
    call.tts.down = True
    call.says("hello", at=1.0)
    call.at(11.0, lambda: setattr(call.tts, "down", False))
    call.says("hello again", at=12.0)
    call.run(until=18)
    assert [note["code"] for _, note in call.notes("notice")] == ["tts-down"]
    assert call.words() == "I am back"
    assert "Lost" not in str(call.context())


def test_text_the_engine_cannot_speak_is_skipped() -> None:
    call = Call(llm=FakeLlm([Say("Good start. Bad middle part here. Good end.")]))
    call.tts.broken = {"Bad middle part here."}
    call.says("go", at=1.0)
    call.run(until=9)
    assert call.words() == "Good start Good end"
    assert "Bad" not in call.context()[1][1]


def test_ears_that_fail_ask_to_repeat() -> None:
    call = Call(llm=FakeLlm([Say("Understood.")]), stt_fails=1)
    call.says("hello", at=1.0)
    call.says("hello again", at=8.0)
    call.run(until=13)
    assert call.words().startswith("Sorry I didn't catch that")
    assert call.words().endswith("Understood")


def test_a_tool_result_reaches_the_model_and_the_context() -> None:
    tools = builtin_registry().toolbox(["tell_time"], ToolContext("call", "en"))
    call = Call(llm=FakeLlm([Use("tell_time"), Say("It is late.")]), toolbox=tools)
    call.says("what time is it", at=1.0)
    call.run(until=8)
    assert call.words() == "It is late"
    assert [message["role"] for message in call.llm.asked[1]][-2:] == ["assistant", "tool"]
    assert "It is" in call.llm.asked[1][-1]["content"]


def test_a_slow_tool_is_covered_by_a_filler() -> None:
    async def lookup(context: ToolContext) -> str:
        """Look something up."""
        await asyncio.sleep(4.0)
        return "forty two"

    registry = ToolRegistry()
    registry.add(lookup)
    tools = registry.toolbox(["lookup"], ToolContext("call", "en"))
    call = Call(llm=FakeLlm([Use("lookup"), Say("It is forty two.")]), toolbox=tools)
    call.says("look it up", at=1.0)
    call.run(until=12)
    assert call.words() == "One moment let me check It is forty two"
    asked_s = call.log.named("tool_called")[0][0]
    filler_s = call.sounded()[0][0]
    assert 1.2 <= filler_s - asked_s <= 1.4


def test_a_model_that_calls_tools_for_ever_is_stopped() -> None:
    tools = builtin_registry().toolbox(["tell_time"], ToolContext("call", "en"))
    call = Call(llm=FakeLlm([Use("tell_time")] * 50), toolbox=tools)
    call.says("time please", at=1.0)
    call.run(until=12)
    assert len(call.llm.asked) == 4
    assert call.words().startswith("Sorry")


def test_a_very_long_answer_does_not_run_ahead_of_the_caller() -> None:
    call = Call(llm=FakeLlm([Say("Another sentence of seven words is here. " * 200)]))
    call.says("talk", at=1.0)
    call.run(until=20)
    assert call.llm.tokens_sent < 250


@pytest.mark.parametrize("at_s", [0.3, 1.2, 2.0, 2.4, 3.0])
def test_hanging_up_at_any_stage_leaves_nothing_running(at_s: float) -> None:
    call = Call(llm=FakeLlm([Say("A few words of an answer.")]))
    call.says("hello there", at=1.0)
    call.hangs_up_at = at_s
    call.run(until=30)
    assert call.reason == "hung up"
