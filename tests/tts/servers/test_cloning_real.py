"""A voice made of an upload and spoken in: the form, a compiler in its own process, the engine.

Its weights are small and random: it babbles.  No trained ones can be had here.
"""

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import soundfile

from tests.tts.models.golden_sovits import GOLDEN
from tests.tts.paces import spoken
from tests.tts.servers.http_doors import served
from tests.tts.voices.tiny import tiny_voices
from tts.config import ApiV2Config, GptSovitsConfig, LimitsConfig, ServiceConfig
from tts.engine.types import Piece
from tts.engines import builders
from tts.light.hibari import VOICE, HibariEngine
from tts.servers.api_v2 import ApiV2
from tts.servers.voices import VoicesApi
from tts.service import SynthesisService
from tts.types import SynthesisRequest
from tts.voices.clip_voices import ClipVoices
from tts.voices.managing import VoiceManager
from tts.voices.workshop import Workshop

pytestmark = pytest.mark.real

SAID = "Good morning, this is a short clip of my voice, and I hope that you like it."


@dataclass
class Running:
    url: str
    service: SynthesisService
    manager: VoiceManager
    root: Path

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        return await asyncio.to_thread(
            requests.request, method, self.url + path, timeout=120, **more
        )

    async def upload(self, clip: bytes, voice_id: str = "ada") -> None:
        data = {"id": voice_id, "text": SAID, "language": "en", "consent": "true"}
        data |= {"t2s": "ada.ckpt", "sovits": "ada.pth"}
        answer = await self.ask("POST", "/v1/voices", data=data, files={"clip": clip})
        assert answer.status_code == 202, answer.text
        await asyncio.gather(*self.manager._tasks.values(), return_exceptions=True)

    async def seconds_of(self, ref_audio_path: str, **more: Any) -> float:
        asked = {"text": "Hello there.", "text_lang": "en", "prompt_lang": "en", "seed": 1}
        asked |= {"ref_audio_path": ref_audio_path, **more}
        answer = await self.ask("POST", "/tts", json=asked)
        assert answer.status_code == 200, answer.text
        with wave.open(io.BytesIO(answer.content)) as file:
            return file.getnframes() / file.getframerate()


@asynccontextmanager
async def running(root: Path) -> AsyncIterator[Running]:
    tiny = tiny_voices(root)
    weights, clips = root / "weights", root / "clips"
    weights.mkdir()
    clips.mkdir()
    for source, name in (("t2s_v2.ckpt", "ada.ckpt"), ("sovits_v2.pth", "ada.pth")):
        (weights / name).write_bytes((GOLDEN / "ckpt" / source).read_bytes())
    config = ServiceConfig(
        gpt_sovits=GptSovitsConfig(
            voices_dir=tiny.voices_dir, pretrained_dir=tiny.pretrained_dir, threads=1
        ),
        api_v2=ApiV2Config(clips_dir=clips, weights_dir=weights),
        limits=LimitsConfig(first_packet_ms=60_000),
        engines=("gpt-sovits", "hibari"),
    )
    service = SynthesisService(config, builders(config))
    workshop = Workshop(config.gpt_sovits)
    manager = VoiceManager(config.gpt_sovits, service, workshop, weights_dir=weights)
    clip_voices = ClipVoices(config.gpt_sovits, service, workshop)
    operations = [
        *VoicesApi(manager, config.http).operations(),
        *ApiV2(service, config, clip_voices).operations(),
    ]
    await manager.start()
    await service.start()
    try:
        async with served(operations, config) as (_, port):
            yield Running(f"http://127.0.0.1:{port}", service, manager, root)
    finally:
        await manager.stop()
        await clip_voices.stop()
        await service.stop()


def speech() -> bytes:
    said = spoken(HibariEngine(threads=1), SynthesisRequest(SAID, VOICE.id, "en"))
    samples = np.concatenate([piece.samples for piece in said if isinstance(piece, Piece)])
    file = io.BytesIO()
    soundfile.write(file, samples, VOICE.sample_rate_hz, format="WAV")
    return file.getvalue()


def test_a_voice_is_uploaded_spoken_in_and_deleted_while_the_service_runs(tmp_path: Path) -> None:
    clip = speech()

    async def scenario() -> None:
        async with running(tmp_path) as found:
            assert [voice.id for voice in found.service.voices] == ["heart"]
            await found.upload(clip)
            shown = (await found.ask("GET", "/v1/voices/ada")).json()
            assert (shown["state"], shown["reason"]) == ("ready", "")
            assert (shown["engine"], shown["sample_rate_hz"]) == ("gpt-sovits", 32000)
            assert await found.seconds_of("ada") > 0.1
            # A clip that nobody made a voice of, with weights for such clips.
            (tmp_path / "clips" / "eve.wav").write_bytes(clip)
            for path, name in (("gpt", "ada.ckpt"), ("sovits", "ada.pth")):
                answer = await found.ask(
                    "GET", f"/set_{path}_weights", params={"weights_path": name}
                )
                assert answer.json() == {"message": "success"}
            first = await found.seconds_of("eve.wav", prompt_text=SAID)
            assert await found.seconds_of("eve.wav", prompt_text=SAID) == first > 0.1
            assert [voice.id for voice in found.service.voices] == ["ada", "heart"]
            assert (await found.ask("DELETE", "/v1/voices/ada")).status_code == 204
            assert [voice.id for voice in found.service.voices] == ["heart"]
            assert await found.seconds_of("heart") > 0.1
            answer = await found.ask(
                "POST",
                "/tts",
                json={"text": "x", "text_lang": "en", "ref_audio_path": "ada", "prompt_lang": "en"},
            )
            assert (answer.status_code, answer.json()["message"]) == (400, "tts failed")

    asyncio.run(scenario())


def test_a_voice_that_cannot_be_compiled_tells_what_the_compiler_said(tmp_path: Path) -> None:
    clip = speech()

    async def scenario() -> None:
        async with running(tmp_path) as found:
            for path in (tmp_path / "pretrained" / "chinese-hubert-base").iterdir():
                path.unlink()
            await found.upload(clip)
            shown = (await found.ask("GET", "/v1/voices/ada")).json()
            assert shown["state"] == "failed"
            assert "chinese-hubert-base" in shown["reason"]
            assert "part" not in shown["reason"]
            assert [path.name for path in (tmp_path / "voices").iterdir()] == [".weights"]

    asyncio.run(scenario())
