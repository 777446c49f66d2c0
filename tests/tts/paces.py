"""Time as an engine may know it, in tests that have no worker."""

from collections.abc import Iterator

from tts.engine.types import Engine, NoHurry, Piece, Step, Work
from tts.text.feed import TextFeed
from tts.types import SynthesisRequest


def spoken(engine: Engine, request: SynthesisRequest) -> Iterator[Step]:
    """The steps of a request whose text is complete; work is done, with None in its place."""
    return worked(engine.speak(request, TextFeed.of(request.text), NoHurry()))


def pieces(steps: Iterator[Step]) -> list[Piece]:
    """The pieces among steps, with their work done."""
    return [step for step in worked(steps) if isinstance(step, Piece)]


def worked(steps: Iterator[Step]) -> Iterator[Step]:
    """Steps with their work done, and None in its place."""
    for step in steps:
        if isinstance(step, Work):
            step.run([step])
            yield None
        else:
            yield step
