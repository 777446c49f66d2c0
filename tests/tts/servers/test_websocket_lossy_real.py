"""The client on the page about the WebSocket door, through a network that keeps breaking."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import tts.servers.websocket_session as session_module
from tests.tts.doors import running
from tests.tts.fake_engine import FakeEngine, ramp_pcm
from tests.tts.servers.http_doors import KEY, WITH_KEYS
from tests.tts.servers.lossy_proxy import lossy
from tests.tts.servers.test_websocket_real import with_limits
from tests.tts.sockets import websocket_door
from tests.tts.test_contract import CONFIG, until

pytestmark = pytest.mark.real

PAGE = Path(__file__).parents[3] / "docs" / "protocols" / "websocket.md"
Speak = Callable[..., AsyncIterator[tuple[int, bytes]]]


@pytest.fixture(scope="module")
def speak() -> Speak:
    """The function `speak` of the page."""
    code = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile("".join(code), str(PAGE), "exec"), names)
    return names["speak"]


async def whole(spoken: AsyncIterator[tuple[int, bytes]]) -> bytes:
    received = [part async for part in spoken]
    assert {rate_hz for rate_hz, _ in received} == {1000}
    return b"".join(pcm for _, pcm in received)


def test_the_client_of_the_page_hears_a_text(speak: Speak) -> None:
    async def scenario() -> None:
        async with (
            running(FakeEngine(), WITH_KEYS) as service,
            websocket_door(service, WITH_KEYS) as (_, port),
        ):
            url = f"ws://127.0.0.1:{port}/ws/tts"
            assert await whole(speak(url, "Hello.", "ann", "en", key=KEY)) == ramp_pcm(1000)
            with pytest.raises(RuntimeError, match="voice_not_found: .*ann, bob"):
                await whole(speak(url, "Hello.", "eve", "en", key=KEY))

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(4))
def test_through_any_number_of_lost_connections_every_byte_comes_once_in_order(
    speak: Speak, seed: int
) -> None:
    async def scenario() -> None:
        engine = FakeEngine(piece_samples=(500,) * 200)
        config = with_limits(max_streams=8)
        async with (
            running(engine, config) as service,
            websocket_door(service, config) as (
                door,
                port,
            ),
        ):
            async with lossy(port, seed=seed, cuts=30) as (proxy, through):
                url = f"ws://127.0.0.1:{through}/ws/tts"
                async with asyncio.timeout(60):
                    heard = await asyncio.gather(
                        *(whole(speak(url, f"Hello {n}.", "ann", "en")) for n in range(4))
                    )
                assert [pcm == ramp_pcm(100_000) for pcm in heard] == [True] * 4
                assert proxy.broken >= 30
                assert 0 < proxy.silent < proxy.broken
            await until(lambda: service.streams == 0)
            await until(lambda: len(door.sessions) == 0)
        assert engine.dropped == []

    asyncio.run(scenario())


def test_a_network_that_is_gone_for_too_long_ends_in_an_error(
    speak: Speak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "RESUME_WITHIN_S", 0.0)

    async def scenario() -> None:
        engine = FakeEngine(piece_samples=(500,) * 200)
        async with running(engine, CONFIG) as service, websocket_door(service, CONFIG) as (_, port):
            async with lossy(port, seed=3, cuts=1, most_bytes=8000) as (proxy, through):
                url = f"ws://127.0.0.1:{through}/ws/tts"
                with pytest.raises(RuntimeError, match="session_lost"):
                    await whole(speak(url, "Hello.", "ann", "en"))
                assert (proxy.broken, proxy.silent) == (1, 0)

    asyncio.run(scenario())
