"""A bench's own service, whichever way it is reached: with a small voice of random weights."""

import asyncio
from pathlib import Path

import pytest

from bench import services
from bench.listener import hear
from tests.tts.gpt_sovits.made import add_voice
from tts.types import SynthesisRequest

pytestmark = pytest.mark.real


@pytest.mark.parametrize("grpc", [True, False], ids=["grpc", "in process"])
def test_a_caller_hears_a_whole_utterance(
    grpc: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "has_grpc", lambda: grpc)
    add_voice(tmp_path, "tiny", emotions=["neutral"])
    settings = {
        "engines": ["gpt-sovits"],
        "gpt_sovits": {"voices_dir": str(tmp_path), "threads": 1, "preload": ["tiny"]},
    }

    async def listened() -> None:
        async with services.service(settings) as service:
            heard = await hear(service.door, SynthesisRequest("Hello there.", "tiny", "en"))
            assert 0 < heard.first_packet_s <= heard.last_packet_s
            assert heard.audio_s > 0.1
            assert service.cpu_s() > 0
            assert service.rss_mb() > 10

    asyncio.run(listened())
