"""What a trace tells of a call: its turns, and what answering them took."""

import asyncio
from collections.abc import AsyncGenerator

from opentelemetry.sdk.trace import ReadableSpan

from agent.config import SpeculationConfig, TurnsConfig
from agent.tools.builtin import builtin_registry
from agent.tools.registry import ToolContext
from tests.conversations.harness import PERSONA, Call
from tests.fakes.llm import FakeLlm, Say, Use
from tests.fakes.traces import Traces, plain
from tests.fakes.tts import FakeTts
from tts.tracing import inject
from tts.types import SpeechChunk, SynthesisRequest


class Listening(FakeTts):
    """A voice that notes which trace its requests come from."""

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk, None]:
        self.carriers: list[dict[str, str]] = getattr(self, "carriers", [])
        inject(carrier := {})
        self.carriers.append(carrier)
        async for chunk in super().stream(request):
            yield chunk


def traced(**parts: object) -> tuple[Call, Traces]:
    """A call in whose trace a second lasts as long as in the conversation.

    No answer is begun early, so that all of an answer lies in its turn.
    """
    turns = TurnsConfig(idle_prompt_s=0, speculation=SpeculationConfig(enabled=False))
    traces = Traces(lambda: round(asyncio.get_running_loop().time() * 1e9))
    return Call(tracing=traces.tracing, turns=turns, **parts), traces  # type: ignore[arg-type]


def times_s(span: ReadableSpan) -> tuple[float, float]:
    assert span.start_time is not None and span.end_time is not None
    return round(span.start_time / 1e9, 3), round(span.end_time / 1e9, 3)


def test_a_call_is_one_trace_with_its_greeting_and_its_turns() -> None:
    persona = PERSONA.model_copy(update={"greeting": "Good morning."})
    call, traces = traced(persona=persona, llm=FakeLlm([Say("Yes, it is.")]))
    call.says("is it open", at=4.0)
    call.run(until=9)
    assert traces.paths == [
        "call",
        "call > reply",
        "call > reply > tts",
        "call > turn",
        "call > turn > endpoint",
        "call > turn > reply",
        "call > turn > reply > llm",
        "call > turn > reply > tts",
        "call > turn > stt",
    ]
    assert len({span.context.trace_id for span in traces.spans if span.context}) == 1
    [whole] = traces.named("call")
    assert plain(whole) == {"persona": "test", "language": "en", "reason": "test over"}


def test_spans_of_a_turn_lie_end_to_end_from_the_callers_last_voice() -> None:
    call, traces = traced(llm=FakeLlm([Say("Yes, it is.")], first_token_s=0.2), stt_s=0.5)
    stopped_s = call.says("is it open", at=2.0)
    call.run(until=9)
    [turn], [endpoint], [stt] = map(traces.named, ("turn", "endpoint", "stt"))
    [reply], [llm], [tts] = map(traces.named, ("reply", "llm", "tts"))
    assert abs(times_s(turn)[0] - stopped_s) < 0.04
    assert times_s(turn)[0] == times_s(endpoint)[0]
    assert times_s(endpoint)[1] == times_s(stt)[0]
    assert times_s(stt)[1] == times_s(reply)[0] == times_s(llm)[0]
    assert times_s(reply)[1] == times_s(turn)[1]
    assert [event.name for event in reply.events] == ["first_token", "first_chunk", "first_sound"]
    began_s = call.sounded()[0][0]
    assert abs(reply.events[2].timestamp / 1e9 - began_s) < 0.05
    # The stages of the page add up to the same.
    [(_, note)] = call.notes("turn-latency")
    stages = note["stages"]
    assert abs(stages["endpoint_ms"] - 1000 * (times_s(endpoint)[1] - stopped_s)) < 45
    assert abs(stages["stt_ms"] - 1000 * (times_s(stt)[1] - times_s(stt)[0])) <= 1
    assert times_s(llm)[0] < times_s(tts)[0]


def test_the_voice_learns_which_span_asks_it() -> None:
    voice = Listening()
    call, traces = traced(llm=FakeLlm([Say("Yes, it is. Come in.")]), tts=voice)
    call.says("is it open", at=2.0)
    call.run(until=9)
    asked = [f"{span.context.span_id:016x}" for span in traces.named("tts") if span.context]
    assert [carrier["traceparent"].split("-")[2] for carrier in voice.carriers] == asked


def test_an_interrupted_reply_ends_with_its_turn() -> None:
    call, traces = traced(llm=FakeLlm([Say("One two three four five six seven."), Say("Well.")]))
    call.says("count please", at=2.0)
    call.says("stop it right now", at=4.2)
    call.run(until=12)
    first, second = traces.named("turn")
    assert [plain(span)["interrupted"] for span in traces.named("reply")] == [True, False]
    [cut, whole] = traces.named("reply")
    assert times_s(cut)[1] == times_s(first)[1] < times_s(second)[1] == times_s(whole)[1]


def test_tools_and_failures_stand_in_the_trace_and_words_do_not() -> None:
    toolbox = builtin_registry().toolbox(["tell_time"], ToolContext("call", "en"))
    call, traces = traced(
        llm=FakeLlm([Use("tell_time"), Say("secret words")]),
        tts=FakeTts(broken={"secret"}),
        toolbox=toolbox,
    )
    call.says("what time is it", at=2.0)
    call.run(until=9)
    [tool] = traces.named("tool")
    assert plain(tool) == {"tool": "tell_time"}
    assert [len(traces.named(name)) for name in ("llm", "tts")] == [2, 1]
    [tts] = traces.named("tts")
    assert (plain(tts)["error.type"], tts.status.description) == ("engine_failed", "engine_failed")
    told = " ".join(str(plain(span)) for span in traces.spans)
    assert [word for word in ("secret", "what time") if word in told] == []
