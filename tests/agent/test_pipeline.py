"""What we rely on of pipecat: these fail when a new version changes it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from pipecat.frames.frames import (
    Frame,
    InputTransportMessageFrame,
    InterruptionFrame,
    LLMTextFrame,
    OutputTransportMessageUrgentFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from agent.frames import TurnDroppedFrame, UserTurnFrame
from agent.pipeline import CallPipeline
from agent.replier import Replier
from agent.turns.processor import Ears
from tests import virtual_time


class Tap(FrameProcessor):
    """Keeps what passes; may be told to be slow with data frames."""

    def __init__(self, name: str, slow_s: float = 0.0) -> None:
        super().__init__(name=name)
        self.seen: list[Frame] = []
        self.slow_s = slow_s

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            await asyncio.sleep(self.slow_s)
        self.seen.append(frame)
        await self.push_frame(frame, direction)

    def kinds(self) -> list[type[Frame]]:
        return [type(frame) for frame in self.seen]


async def nothing() -> None:
    pass


def with_pipeline(taps: list[Tap], script: Callable[[CallPipeline], Awaitable[None]]) -> None:
    async def main() -> None:
        pipeline = CallPipeline(list(taps), nothing)
        running = asyncio.create_task(pipeline.run())
        await asyncio.sleep(0.1)
        await script(pipeline)
        await pipeline.cancel()
        await running

    virtual_time.run(main())


def test_an_interruption_drops_queued_data_and_keeps_our_frames() -> None:
    first, last = Tap("first"), Tap("last", slow_s=1.0)

    async def script(pipeline: CallPipeline) -> None:
        for _ in range(3):
            await first.push_frame(LLMTextFrame("old"))
        await asyncio.sleep(0.1)
        await first.push_frame(UserTurnFrame(text="new"))
        await first.broadcast_interruption()
        await first.push_frame(TurnDroppedFrame(reason="noise"))
        await asyncio.sleep(5)

    with_pipeline([first, last], script)
    assert LLMTextFrame not in last.kinds()
    assert UserTurnFrame in last.kinds() and TurnDroppedFrame in last.kinds()


def test_an_interruption_may_overtake_data_that_was_pushed_just_before() -> None:
    """So the transport has to discard the speech of stopped utterances itself, and does."""
    first, last = Tap("first"), Tap("last")

    async def script(pipeline: CallPipeline) -> None:
        await first.push_frame(LLMTextFrame("old"))
        await first.broadcast_interruption()
        await asyncio.sleep(1)

    with_pipeline([first, last], script)
    kinds = last.kinds()
    assert kinds.index(InterruptionFrame) < kinds.index(LLMTextFrame)


def test_a_client_that_says_it_is_ready_is_told_that_the_agent_is() -> None:
    first, last = Tap("first"), Tap("last")

    async def script(pipeline: CallPipeline) -> None:
        ready = {
            "label": "rtvi-ai",
            "type": "client-ready",
            "id": "1",
            "data": {"version": "2.0.0", "about": {"library": "test"}},
        }
        await pipeline.queue(InputTransportMessageFrame(message=ready))
        await asyncio.sleep(1)

    with_pipeline([first, last], script)
    sent = [f.message for f in last.seen if isinstance(f, OutputTransportMessageUrgentFrame)]
    assert [message["type"] for message in sent] == ["bot-ready"]


def test_every_processor_is_started_before_anything_else_reaches_it() -> None:
    first, last = Tap("first"), Tap("last")

    async def script(pipeline: CallPipeline) -> None:
        await pipeline.queue(UserTurnFrame(text="hi"))
        await asyncio.sleep(0.1)

    with_pipeline([first, last], script)
    assert isinstance(last.seen[0], StartFrame)


@pytest.mark.parametrize("kind", [Ears, Replier])
def test_our_processors_do_not_overwrite_attributes_of_the_base(kind: type) -> None:
    own = {name for name in _assigned(kind) if name.startswith("_")}
    assert own.isdisjoint(dir(FrameProcessor()))


def _assigned(kind: type) -> set[str]:
    """Names of attributes that the class's own code stores to."""
    import ast
    import inspect
    import textwrap

    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
