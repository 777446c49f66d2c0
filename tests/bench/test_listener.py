"""A caller's ear in the benches: first packets, gaps, refusals."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from bench import listener
from bench.listener import hear, hear_at_last
from tests.virtual_time import run
from tts.errors import Overloaded
from tts.types import SpeechChunk, SynthesisRequest

REQUEST = SynthesisRequest(text="Hello.", voice="v", language="en")
RATE_HZ = 1000


class Scripted:
    """A door that gives chunks of so many seconds, each after so many seconds."""

    def __init__(self, chunks: Sequence[tuple[float, float]], *, refusals: int = 0) -> None:
        self._chunks = chunks
        self.refusals = refusals
        self.closed_after = 0

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk]:
        if self.refusals:
            self.refusals -= 1
            raise Overloaded("no time")
        for number, (after_s, audio_s) in enumerate(self._chunks):
            await asyncio.sleep(after_s)
            self.closed_after = number + 1
            yield SpeechChunk(bytes(2 * round(audio_s * RATE_HZ)), RATE_HZ, 0, (), False)


@pytest.fixture(autouse=True)
def virtual_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener.time, "perf_counter", lambda: asyncio.get_running_loop().time())


def test_playback_that_is_always_fed_has_no_gap() -> None:
    heard = run(hear(Scripted([(0.2, 0.5), (0.5, 1.0), (0.1, 0.3)]), REQUEST))
    assert heard.first_packet_s == pytest.approx(0.2)
    assert heard.last_packet_s == pytest.approx(0.8)
    assert heard.audio_s == pytest.approx(1.8)
    assert heard.gaps_s == []


def test_a_late_chunk_is_a_gap_and_later_ones_have_the_longer_for_it() -> None:
    heard = run(hear(Scripted([(0.2, 0.5), (0.75, 0.5), (0.5, 0.5), (0.6, 0.1)]), REQUEST))
    assert heard.gaps_s == pytest.approx([0.25, 0.1])


def test_who_hangs_up_leaves_the_rest() -> None:
    door = Scripted([(0.1, 0.2)] * 10)
    heard = run(hear(door, REQUEST, most_s=0.3))
    assert heard.audio_s == pytest.approx(0.4)
    assert door.closed_after == 2


def test_a_refused_request_is_asked_again_and_its_first_packet_counts_from_then() -> None:
    heard = run(hear_at_last(Scripted([(0.2, 0.5)], refusals=2), REQUEST))
    assert heard.refused == 2
    assert heard.first_packet_s == pytest.approx(0.2)
