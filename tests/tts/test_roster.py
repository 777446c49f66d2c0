"""Voices that come and go while a service runs, with scripted engines."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from tests.tts.fake_engine import VOICES, FakeEngine, ramp_pcm
from tests.tts.test_contract import REQUEST, collect, until
from tts.config import ServiceConfig
from tts.engine.types import Engine, NoVoices
from tts.errors import EngineFailed, VoiceNotFound
from tts.service import SynthesisService
from tts.types import SynthesisRequest, Voice

ANN, BOB = VOICES
CAT = Voice("cat", ("en",), ANN.sample_rate_hz, "fake")
HIDDEN = replace(CAT, id=".clip-1")
HEART = Voice("heart", ("en",), ANN.sample_rate_hz, "light")


@dataclass
class ChangingEngine(FakeEngine):
    """Its voices are `coming` once it has read them anew."""

    coming: tuple[Voice, ...] = VOICES
    broken: bool = False
    reading: threading.Semaphore | None = None
    """Each reading waits for a permit."""

    def read_voices(self) -> Callable[[], None]:
        if self.reading is not None:
            self.reading.acquire()
        if self.broken:
            raise OSError("the disk is gone")
        coming = self.coming

        def take() -> None:
            self.voices = coming

        return take


@asynccontextmanager
async def running(builders: Mapping[str, Callable[[], Engine]]) -> AsyncIterator[SynthesisService]:
    service = SynthesisService(ServiceConfig(), builders)
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


def ids(service: SynthesisService) -> list[str]:
    return [voice.id for voice in service.voices]


def test_a_new_voice_speaks_and_one_that_is_gone_is_not_found_at_once() -> None:
    async def scenario() -> None:
        engine = ChangingEngine()
        async with running({"fake": lambda: engine}) as service:
            engine.coming = (BOB, CAT)
            assert ids(service) == ["ann", "bob"]
            await service.refresh_voices()
            assert ids(service) == ["bob", "cat"]
            with pytest.raises(VoiceNotFound, match="'ann': there are bob, cat"):
                await service.synthesize(REQUEST)
            spoken = await service.synthesize(replace(REQUEST, voice="cat"))
            assert spoken.pcm == ramp_pcm(1000)

    asyncio.run(scenario())


def test_what_is_being_spoken_ends_in_the_voice_it_began_in() -> None:
    async def scenario() -> None:
        engine = ChangingEngine()
        async with running({"fake": lambda: engine}) as service:
            engine.gate = threading.Semaphore(1)
            stream = service.stream(REQUEST)
            first = await anext(stream)
            engine.coming = (BOB,)
            await service.refresh_voices()
            engine.gate.release(100)
            rest = await collect(stream)
        assert first.pcm + b"".join(chunk.pcm for chunk in rest) == ramp_pcm(1000)
        assert {chunk.voice for chunk in (first, *rest)} == {"ann"}

    asyncio.run(scenario())


def test_who_waits_for_a_stream_while_the_voice_goes_is_told() -> None:
    async def scenario() -> None:
        engine = ChangingEngine()
        config = ServiceConfig.model_validate({"limits": {"max_streams": 1}})
        service = SynthesisService(config, {"fake": lambda: engine})
        await service.start()
        try:
            engine.gate = threading.Semaphore(0)
            first = asyncio.create_task(service.synthesize(replace(REQUEST, voice="bob")))
            await until(lambda: service.streams == 1)
            waiting = asyncio.create_task(service.synthesize(REQUEST))
            await until(lambda: service.waiting == 1)
            engine.coming = (BOB,)
            await service.refresh_voices()
            engine.gate.release(100)
            assert (await first).pcm == ramp_pcm(1000)
            with pytest.raises(VoiceNotFound, match="'ann'"):
                await waiting
        finally:
            engine.gate.release(100)
            await service.stop()

    asyncio.run(scenario())


def test_an_engine_without_voices_is_built_when_its_first_appears() -> None:
    async def scenario() -> None:
        there: list[FakeEngine] = []

        def build() -> FakeEngine:
            if not there:
                raise NoVoices("none yet")
            return there[0]

        light = FakeEngine(name="light", voices=(HEART,))
        async with running({"cloned": build, "light": lambda: light}) as service:
            await service.refresh_voices()
            assert ids(service) == ["heart"]
            there.append(ChangingEngine(voices=(ANN, replace(ANN, id="heart"))))
            await service.refresh_voices()
            # It stands first, and keeps an id that both of them claim.
            assert ids(service) == ["ann", "heart"]
            assert service.voices[1].engine == "fake"
            assert (await service.synthesize(REQUEST)).pcm == ramp_pcm(1000)

    asyncio.run(scenario())


def test_voices_that_cannot_be_read_stay_as_they_were() -> None:
    async def scenario() -> None:
        engine, other = ChangingEngine(), ChangingEngine(name="other", voices=(CAT,))
        async with running({"fake": lambda: engine, "other": lambda: other}) as service:
            engine.coming, other.broken = (BOB,), True
            with pytest.raises(EngineFailed, match="the disk is gone"):
                await service.refresh_voices()
            assert ids(service) == ["ann", "bob", "cat"]
            other.broken, other.coming = False, ()
            await service.refresh_voices()
            assert ids(service) == ["bob"]

    asyncio.run(scenario())


def test_of_two_refreshes_the_later_one_counts() -> None:
    async def scenario() -> None:
        engine = ChangingEngine(reading=threading.Semaphore(0))
        async with running({"fake": lambda: engine}) as service:
            engine.coming = (ANN,)
            one = asyncio.create_task(service.refresh_voices())
            two = asyncio.create_task(service.refresh_voices())
            await asyncio.sleep(0)
            engine.coming = (CAT,)
            engine.reading.release(2)
            await asyncio.gather(one, two)
            assert ids(service) == ["cat"]

    asyncio.run(scenario())


def test_a_service_whose_last_voice_goes_lives_on() -> None:
    async def scenario() -> None:
        engine = ChangingEngine()
        async with running({"fake": lambda: engine}) as service:
            engine.coming = ()
            await service.refresh_voices()
            assert ids(service) == []
            await service.probe()
            with pytest.raises(VoiceNotFound):
                await service.synthesize(REQUEST)
            assert service.idle_s() >= 0
            engine.coming = (ANN,)
            await service.refresh_voices()
            assert (await service.synthesize(REQUEST)).pcm == ramp_pcm(1000)

    asyncio.run(scenario())


def test_a_hidden_voice_speaks_and_stands_in_no_list() -> None:
    async def scenario() -> None:
        engine = ChangingEngine(voices=(ANN, HIDDEN))
        async with running({"fake": lambda: engine}) as service:
            assert ids(service) == ["ann"]
            assert service.find_voice(HIDDEN.id) == HIDDEN
            assert service.find_voice("nobody") is None
            request = SynthesisRequest("Hi.", HIDDEN.id, "en")
            assert (await service.synthesize(request)).pcm == ramp_pcm(1000)
            with pytest.raises(VoiceNotFound, match="there are ann$"):
                await service.synthesize(replace(request, voice="x"))

    asyncio.run(scenario())
