"""Answers that are begun while it is not yet sure that the caller has finished."""

import asyncio

import pytest

from agent.budget import Budget
from agent.config import SpeculationConfig, TurnsConfig
from agent.persona import TurnTemperament
from agent.tools.registry import ToolContext, ToolRegistry
from tests.conversations.harness import PERSONA, Call
from tests.fakes.llm import Fail, FakeLlm, Say, Use
from tests.fakes.tts import FakeTts

FRAME_S = 0.02 + 1e-6
BREATH_S = 0.24
"""Long enough for a draft to begin, too short for a turn to end."""


def quick(*answers: Say | Use | Fail) -> FakeLlm:
    return FakeLlm(list(answers), first_token_s=0.04, per_token_s=0.005)


def breathless(call: Call, first: str, then: str, at: float = 2.0) -> float:
    """The caller says `first`, breathes, and says `then`; returns when they stop."""
    return call.says(then, at=call.says(first, at=at) + BREATH_S)


def at(call: Call, event: str) -> float:
    """When the only event of this name happened."""
    [(when_s, _)] = call.log.named(event)
    return when_s


def count(call: Call, metric: str) -> float:
    """The sum of a metric's samples."""
    lines = call.metrics.render().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(metric + "{"))


def test_the_answer_begins_while_silence_is_judged_and_sounds_at_the_decision() -> None:
    call = Call(llm=quick(Say("Yes, it is.")))
    call.says("is it open today", at=2.0)
    call.run(until=8)
    assert at(call, "draft_began") < at(call, "end_turn")
    # In the next frame that leaves, with no time for a model or a voice in between.
    assert call.sounded()[0][0] - at(call, "end_turn") <= FRAME_S
    assert call.words() == "Yes it is"
    assert call.context() == [("user", "is it open today"), ("assistant", "Yes, it is.")]


def test_an_adopted_draft_is_the_only_request() -> None:
    call = Call(llm=quick(Say("Yes, it is.")))
    call.says("is it open today", at=2.0)
    call.run(until=8)
    assert (len(call.llm.asked), len(call.tts.requests)) == (1, 1)
    assert (call.llm.cancelled, call.tts.cancelled) == (0, 0)
    [(_, adopted)] = call.log.named("draft_adopted")
    assert adopted["tokens"] == 3 and adopted["audio_s"] == pytest.approx(0.9)


def test_a_slow_answer_begun_early_is_early_by_what_it_had() -> None:
    def asked(*, early: bool) -> Call:
        turns = TurnsConfig(idle_prompt_s=0, speculation=SpeculationConfig(enabled=early))
        call = Call(llm=FakeLlm([Say("Yes, it is.")], first_token_s=1.0), turns=turns)
        call.says("is it open today", at=2.0)
        return call.run(until=6)

    early, late = asked(early=True), asked(early=False)
    lead_s = at(early, "end_turn") - at(early, "draft_began")
    gained_s = late.sounded()[0][0] - early.sounded()[0][0]
    assert gained_s == pytest.approx(lead_s, abs=FRAME_S)


def test_a_draft_whose_words_changed_is_never_heard() -> None:
    call = Call(llm=quick(Say("Wrong answer."), Say("Right answer.")))
    breathless(call, "book me a table", "for seven people")
    call.run(until=9)
    assert call.words() == "Right answer"
    assert call.context()[0] == ("user", "book me a table for seven people")
    assert call.llm.asked[1][-1]["content"] == "book me a table for seven people"


def test_nothing_of_a_dropped_draft_reaches_context_page_or_metrics_of_turns() -> None:
    call = Call(llm=quick(Say("Wrong answer."), Say("Right answer.")))
    breathless(call, "book me a table", "for seven people")
    call.run(until=9)
    assert "Wrong" not in str(call.context()) and "Wrong" not in str(call.line.messages)
    assert [note["turn"] for _, note in call.notes("turn-latency")] == [1]
    assert count(call, "parley_turns_total") == 1
    assert count(call, "parley_drafts_begun_total") == 2
    assert count(call, "parley_drafts_adopted_total") == 1
    assert count(call, "parley_drafts_dropped_total") == 1


def test_what_a_dropped_draft_cost_is_counted() -> None:
    call = Call(llm=quick(Say("Wrong answer."), Say("Right answer.")))
    breathless(call, "book me a table", "for seven people")
    call.run(until=9)
    [(_, dropped)] = call.log.named("draft_dropped")
    assert dropped["tokens"] == 2 and dropped["audio_s"] == pytest.approx(0.6)
    assert count(call, "parley_drafts_wasted_tokens_total") == 2
    assert count(call, "parley_drafts_wasted_audio_seconds_total") == pytest.approx(0.6)


def test_a_dropped_draft_stops_the_model_and_the_voice_at_once() -> None:
    long = "word " * 200
    call = Call(llm=quick(Say(f"Wrong, {long}"), Say("Right answer.")), tts=FakeTts(word_s=2.0))
    breathless(call, "book me a table", "for seven people")
    call.run(until=6)
    assert (call.llm.cancelled, call.tts.cancelled) == (1, 1)
    dropped_s = at(call, "draft_dropped")
    [discard] = [when for when, name, _ in call.log.events if name == "discard"]
    assert dropped_s == discard


def test_a_cough_keeps_the_draft_because_the_words_are_the_same() -> None:
    call = Call(llm=quick(Say("Of course.")))
    stopped_s = call.says("book me a table", at=2.0)
    call.coughs(at=stopped_s + BREATH_S, duration_s=0.2)
    call.run(until=9)
    assert call.words() == "Of course"
    assert len(call.llm.asked) == 1
    assert len(call.log.named("draft_adopted")) == 1 and not call.log.named("draft_dropped")


def lookup(used_at: list[float]) -> ToolRegistry:
    async def look_up(context: ToolContext) -> str:
        """Look something up."""
        used_at.append(asyncio.get_running_loop().time())
        return "found"

    registry = ToolRegistry()
    registry.add(look_up)
    return registry


def test_a_tool_waits_until_the_turn_is_over() -> None:
    used_at: list[float] = []
    tools = lookup(used_at).toolbox(["look_up"], ToolContext("call", "en"))
    call = Call(llm=quick(Use("look_up"), Say("Found it.")), toolbox=tools)
    call.says("look it up", at=2.0)
    call.run(until=9)
    assert used_at == [at(call, "end_turn")]
    assert at(call, "draft_began") < used_at[0]
    assert call.words() == "Found it"


def test_the_tool_of_a_dropped_draft_never_runs() -> None:
    used_at: list[float] = []
    tools = lookup(used_at).toolbox(["look_up"], ToolContext("call", "en"))
    call = Call(llm=quick(Use("look_up"), Say("Right answer.")), toolbox=tools)
    breathless(call, "book me a table", "for seven people")
    call.run(until=9)
    assert used_at == []
    assert call.words() == "Right answer"


def test_the_stages_of_a_draft_add_up_and_tell_how_early_it_began() -> None:
    call = Call(llm=quick(Say("Yes, it is.")))
    call.says("is it open today", at=2.0)
    call.run(until=8)
    [(_, note)] = call.notes("turn-latency")
    assert abs(sum(note["stages"].values()) - note["total_ms"]) <= 3
    assert note["stages"]["llm_ms"] == note["stages"]["tts_ms"] == 0
    lead_ms = 1000 * (at(call, "end_turn") - at(call, "draft_began"))
    assert note["draft_ms"] == pytest.approx(lead_ms, abs=1)


def test_an_interruption_right_after_the_release_stops_the_draft_like_any_answer() -> None:
    text = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen."
    call = Call(llm=quick(Say(text), Say("New answer.")))
    stopped_s = call.says("count for me", at=2.0)
    call.says("no stop that please", at=stopped_s + 0.4)
    call.run(until=9)
    assert call.words().endswith("New answer")
    assert len([word for word in call.words().split() if word not in ("New", "answer")]) <= 3
    assert [role for role, _ in call.context()][-1] == "assistant"
    assert "thirteen" not in str(call.context())


def test_a_model_that_fails_a_draft_is_apologised_for_when_the_turn_is_over() -> None:
    call = Call(llm=quick(Fail()))
    call.says("are you there", at=2.0)
    call.run(until=9)
    [(failed_s, _)], [(told_s, _)] = call.log.named("llm_failed"), call.notes("notice")
    assert failed_s < at(call, "end_turn") == told_s
    assert call.words().startswith("Sorry")


def test_a_model_that_fails_a_draft_nobody_needs_is_not_mentioned() -> None:
    call = Call(llm=quick(Fail(), Say("Right answer.")))
    breathless(call, "book me a table", "for seven people")
    call.run(until=9)
    assert call.words() == "Right answer"
    assert call.log.named("llm_failed") and not call.notes("notice")


def test_a_voice_without_room_for_a_draft_is_asked_again_for_the_answer_and_then_spared() -> None:
    call = Call(llm=quick(Say("First answer."), Say("Second answer.")))
    call.tts.refuses = 1
    call.says("question one", at=2.0)
    call.says("question two", at=6.0)
    call.run(until=11)
    assert call.words() == "First answer Second answer"
    first_s = call.log.named("end_turn")[0][0]
    assert call.sounded()[0][0] - first_s <= call.tts.first_chunk_s + FRAME_S
    assert count(call, "parley_drafts_begun_total") == 1


def test_load_switches_it_off_and_the_answer_comes_as_it_always_did() -> None:
    budget = Budget(SpeculationConfig(max_calls=1))
    budget.call_began()  # somebody else's
    call = Call(llm=quick(Say("Yes, it is.")), budget=budget)
    call.says("is it open today", at=2.0)
    call.at(4.0, budget.call_ended)
    call.says("and tomorrow", at=6.0)
    call.run(until=11)
    assert call.words() == "Yes it is Okay"
    [(began_s, _)] = call.log.named("draft_began")
    assert began_s > 6.0


def test_much_waste_switches_it_off() -> None:
    budget = Budget(SpeculationConfig(max_wasted_share=0.5))
    for _ in range(10):
        budget.draft_ended(0.0, wasted=True)
    call = Call(llm=quick(Say("Yes, it is.")), budget=budget)
    call.says("is it open today", at=2.0)
    call.run(until=8)
    assert call.words() == "Yes it is"
    assert count(call, "parley_drafts_begun_total") == 0


def test_hanging_up_leaves_no_draft_behind() -> None:
    call = Call(llm=FakeLlm([Say("Never.")], first_token_s=5.0))
    stopped_s = call.says("is it open", at=2.0)
    call.hangs_up_at = stopped_s + 0.22
    call.run(until=20)
    assert call.reason == "hung up"
    assert call.llm.cancelled == 1
    [(_, dropped)] = call.log.named("draft_dropped")
    assert dropped["reason"] == "call over"


def test_a_draft_makes_three_seconds_of_speech_and_then_waits() -> None:
    patient = PERSONA.model_copy(update={"turns": TurnTemperament(patience=3)})
    words = " ".join(f"word{number}" for number in range(40))
    call = Call(persona=patient, llm=quick(Say(f"Well, {words}.")))
    call.says("tell me a story", at=2.0)
    call.run(until=20)
    [(_, adopted)] = call.log.named("draft_adopted")
    assert 3.0 <= adopted["audio_s"] <= 3.0 + call.tts.word_s
    assert call.words().split()[-1] == "word39"


def test_a_voice_that_takes_passages_drafts_them_too() -> None:
    call = Call(llm=quick(Say("Yes, it is. Come in.")), voice_takes_passages=True)
    call.says("is it open today", at=2.0)
    call.run(until=8)
    assert call.sounded()[0][0] - at(call, "end_turn") <= FRAME_S
    assert call.words() == "Yes it is Come in"
    assert len(call.tts.passages) == 1


def test_the_trace_shows_the_work_of_a_draft_beside_the_turn_it_answers() -> None:
    from tests.fakes.traces import Traces, plain

    traces = Traces(lambda: round(asyncio.get_running_loop().time() * 1e9))
    call = Call(llm=quick(Say("Yes, it is.")), tracing=traces.tracing)
    call.says("is it open today", at=2.0)
    call.run(until=8)
    assert traces.paths == [
        "call",
        "call > draft",
        "call > draft > llm",
        "call > draft > tts",
        "call > turn",
        "call > turn > endpoint",
        "call > turn > reply",
        "call > turn > stt",
    ]
    [draft], [reply] = traces.named("draft"), traces.named("reply")
    assert plain(draft) == {"draft": 1, "adopted": True}
    assert plain(reply)["draft"] == 1
