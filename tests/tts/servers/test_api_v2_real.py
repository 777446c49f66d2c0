"""GPT-SoVITS' api_v2 as its clients use it: requests as they send them, through a real socket.

Each client is replayed by what it puts on the wire and how it reads the answer: Open-LLM-VTuber's
GET, xiaozhi-esp32-server's POST, SillyTavern's two calls, and a reader that plays while it reads.
"""

import asyncio
import io
import threading
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
import requests

from tests.tts.doors import running
from tests.tts.fake_engine import RATE_HZ, FakeEngine, ramp_pcm
from tests.tts.servers.http_doors import KEY, MANAGER_KEY, WITH_KEYS, served
from tests.tts.voices.folders import GOLDEN, make_voice, save_clip
from tests.tts.voices.scripted import ScriptedWorkshop
from tts.config import ApiV2Config, GptSovitsConfig, LimitsConfig, ServiceConfig
from tts.errors import Overloaded
from tts.servers.api_v2 import ApiV2
from tts.types import Voice
from tts.voices.clip_voices import ClipVoices

pytestmark = pytest.mark.real

ANNA = Voice("anna", ("zh", "en"), RATE_HZ, "gpt-sovits", emotions=("neutral", "happy"), state="1")
HEART = Voice("heart", ("en",), RATE_HZ, "hibari", state="1")
ORIGIN = "http://127.0.0.1:8000"
PCM = ramp_pcm(1000)


@dataclass
class Client:
    url: str
    engine: FakeEngine
    workshop: ScriptedWorkshop
    folder: Path

    async def get(self, path: str, params: dict[str, Any] | None = None, **more: Any) -> Any:
        return await asyncio.to_thread(
            requests.get, self.url + path, params=params, timeout=20, **more
        )

    async def post(self, path: str, json: Any, **more: Any) -> Any:
        return await asyncio.to_thread(
            requests.post, self.url + path, json=json, timeout=20, **more
        )

    async def said(self, **fields: Any) -> Any:
        return await self.post("/tts", GOOD | fields)


GOOD = {"text": "Hello.", "text_lang": "en", "ref_audio_path": "anna", "prompt_lang": "en"}


@asynccontextmanager
async def client(
    tmp_path: Path, engine: FakeEngine, *, base: ServiceConfig | None = None
) -> AsyncIterator[Client]:
    clips, weights = tmp_path / "clips", tmp_path / "weights"
    for folder in (clips, weights, tmp_path / "voices"):
        folder.mkdir(exist_ok=True)
    config = (base or ServiceConfig()).model_copy(
        update={
            "gpt_sovits": GptSovitsConfig(
                voices_dir=tmp_path / "voices", pretrained_dir=tmp_path / "none"
            ),
            "api_v2": ApiV2Config(clips_dir=clips, weights_dir=weights),
        }
    )
    async with running(engine, config) as service:
        workshop = ScriptedWorkshop(config.gpt_sovits)
        clip_voices = ClipVoices(config.gpt_sovits, service, workshop)
        operations = ApiV2(service, config, clip_voices).operations()
        async with served(operations, config) as (_, port):
            try:
                yield Client(f"http://127.0.0.1:{port}", engine, workshop, tmp_path)
            finally:
                await clip_voices.stop()


def play(
    tmp_path: Path,
    scenario: Callable[[Client], Awaitable[None]],
    *,
    base: ServiceConfig | None = None,
    **engine: Any,
) -> None:
    async def run() -> None:
        fake = FakeEngine(voices=(ANNA, HEART), **engine)
        async with client(tmp_path, fake, base=base) as found:
            await scenario(found)

    asyncio.run(run())


def wav(content: bytes) -> tuple[int, int, bytes]:
    with wave.open(io.BytesIO(content)) as file:
        return file.getframerate(), file.getnframes(), file.readframes(10_000)


# Clients.


def test_open_llm_vtuber_gets_a_stream_into_a_file(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.get(
            "/tts",
            {
                "text": "Hello there, how are you?",
                "text_lang": "en",
                "ref_audio_path": "D:\\voices\\anna.wav",
                "prompt_lang": "zh",
                "prompt_text": "早上好",
                "text_split_method": "cut5",
                "batch_size": "1",
                "media_type": "wav",
                "streaming_mode": "true",
            },
        )
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/wav")
        assert answer.headers["Transfer-Encoding"] == "chunked"
        # As upstream: a header that tells the rate and no length, then samples.
        assert wav(answer.content)[:2] == (RATE_HZ, 0)
        assert answer.content[44:] == PCM
        (request,) = client.engine.asked
        assert (request.voice, request.language) == ("anna", "en")
        assert request.text == "Hello there,\nhow are you?"

    play(tmp_path, scenario)


def test_xiaozhi_posts_and_takes_a_whole_file(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.post(
            "/tts",
            {
                "text": "你好，小智。",
                "text_lang": "zh",
                "ref_audio_path": "voices/anna/happy.wav",
                "aux_ref_audio_paths": [],
                "prompt_text": None,
                "prompt_lang": "zh",
                "top_k": 5,
                "top_p": 1.0,
                "temperature": 1.0,
                "text_split_method": "cut0",
                "batch_size": 1,
                "batch_threshold": 0.75,
                "split_bucket": True,
                "return_fragment": False,
                "speed_factor": 1.0,
                "streaming_mode": False,
                "seed": -1,
                "parallel_infer": True,
                "repetition_penalty": 1.35,
            },
        )
        assert answer.status_code == 200
        assert int(answer.headers["Content-Length"]) == len(answer.content) == 44 + len(PCM)
        assert wav(answer.content) == (RATE_HZ, 1000, PCM)
        (request,) = client.engine.asked
        assert (request.voice, request.emotion, request.language) == ("anna", "happy", "zh")
        assert (request.top_k, request.temperature) == (5, 1.0)
        assert 0 <= request.seed < 2**32

    play(tmp_path, scenario)


def test_sillytavern_lists_speakers_and_posts_to_the_root(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        headers = {"Origin": ORIGIN}
        speakers = await client.get("/speakers", headers=headers)
        assert speakers.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert [one["name"] for one in speakers.json()] == ["anna", "anna/happy", "heart"]
        asked = {
            "text": "Good evening.",
            "prompt_text": "anna",
            "ref_audio_path": "./参考音频/anna.wav",
            "text_lang": "en",
            "prompt_lang": "zh",
            "text_split_method": "cut5",
            "batch_size": 1,
            "media_type": "ogg",
            "streaming_mode": "true",
        }
        answer = await client.post("/", asked, headers=headers)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/ogg")
        with av.open(io.BytesIO(answer.content)) as file:
            frames = list(file.decode(audio=0))
        # Opus decodes at 48 kHz, whatever it was made of.
        assert sum(frame.samples for frame in frames) / 48000 == pytest.approx(1.0, abs=0.03)

    play(tmp_path, scenario)


def test_a_reader_hears_the_beginning_while_the_rest_is_made(tmp_path: Path) -> None:
    gate = threading.Semaphore(1)

    async def scenario(client: Client) -> None:
        def read() -> bytes:
            asked = GOOD | {"streaming_mode": 2, "media_type": "raw"}
            with requests.post(client.url + "/tts", json=asked, stream=True, timeout=20) as answer:
                assert answer.headers["Content-Type"] == "audio/raw"
                parts = answer.iter_content(chunk_size=None)
                first = next(parts)
                assert PCM.startswith(first)
                assert client.engine.steps == [("Hello.", 0)]
                gate.release(100)
                return first + b"".join(parts)

        assert await asyncio.to_thread(read) == PCM

    play(tmp_path, scenario, gate=gate)


@pytest.mark.parametrize("mode", [0, 1, 2, 3, True, False, "1", "false"])
@pytest.mark.parametrize("media_type", ["wav", "raw", "aac", "ogg"])
def test_every_mode_gives_every_kind_of_audio(
    tmp_path: Path, mode: object, media_type: str
) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.said(streaming_mode=mode, media_type=media_type)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == f"audio/{media_type}"
        if media_type in ("wav", "raw"):
            assert answer.content.endswith(PCM)
        else:
            with av.open(io.BytesIO(answer.content)) as file:
                codec = file.streams.audio[0].codec_context.name
            assert codec == {"aac": "aac", "ogg": "opus"}[media_type]

    play(tmp_path, scenario)


# Refusals.


def test_refusals_have_upstreams_form(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        for fields, body in (
            ({"text": ""}, {"message": "text is required"}),
            ({"ref_audio_path": None}, {"message": "ref_audio_path is required"}),
            ({"media_type": "mp3"}, {"message": "media_type: mp3 is not supported"}),
        ):
            answer = await client.said(**fields)
            assert (answer.status_code, answer.json()) == (400, body)
        bare = await client.get("/tts")
        assert (bare.status_code, bare.json()) == (400, {"message": "ref_audio_path is required"})
        for fields, reason in (
            ({"text": "..."}, "letter or digit"),
            ({"text": "a" * 5000}, "5000 characters"),
            ({"speed_factor": 9}, "speed = 9"),
            ({"temperature": 99}, "temperature = 99"),
            ({"ref_audio_path": "heart", "text_lang": "zh"}, "language = 'zh'"),
        ):
            answer = await client.said(**fields)
            said = answer.json()
            assert (answer.status_code, said["message"]) == (400, "tts failed")
            assert reason in said["Exception"]
        assert client.engine.asked == []

    play(tmp_path, scenario)


def test_values_that_are_none_are_answered_as_fastapi_does(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.get("/tts", GOOD | {"streaming_mode": "ture"})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"][:2] == ["query", "streaming_mode"]
        answer = await client.said(top_k="many")
        assert answer.json()["detail"][0]["loc"] == ["body", "top_k"]
        for body in (b"no json", b"[1]", b'"text"', b"\xff"):
            answer = await asyncio.to_thread(
                requests.post,
                client.url + "/tts",
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=20,
            )
            assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body"])

    play(tmp_path, scenario)


def test_at_capacity_clients_hear_when_to_try_again(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.said()
        assert (answer.status_code, answer.json()["message"]) == (429, "tts failed")
        assert answer.headers["Retry-After"] == "7"

    play(tmp_path, scenario, fails_at=0, error=Overloaded("no room", retry_after_s=7))


def test_a_stream_that_fails_in_the_middle_is_cut(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            await client.said(streaming_mode=1, media_type="raw")

    play(tmp_path, scenario, fails_at=1)


def test_nobody_stops_the_service_from_here(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        for command in ("restart", "exit", "dance"):
            answer = await client.get("/control", {"command": command})
            assert (answer.status_code, list(answer.json())) == (403, ["message"])
        assert (await client.post("/control", {"command": "exit"})).status_code == 403
        answer = await client.get("/control")
        assert (answer.status_code, answer.json()) == (400, {"message": "command is required"})
        assert (await client.said()).status_code == 200

    play(tmp_path, scenario)


def test_no_path_opens_a_file_that_is_not_meant_for_it(tmp_path: Path) -> None:
    save_clip(tmp_path / "secret.wav")
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "link.wav").symlink_to(tmp_path / "secret.wav")

    async def scenario(client: Client) -> None:
        for path in (
            *("/etc/passwd", "../secret.wav", str(tmp_path / "secret.wav"), "link.wav", ".", "/"),
            *(f"{tmp_path}/clips/../secret.wav", "clips/../../secret.wav", "no.wav", "a" * 4000),
            *("file:///etc/passwd", "http://127.0.0.1/x.wav", "\0", "~/secret.wav"),
        ):
            answer = await client.said(ref_audio_path=path, prompt_text="Good morning.")
            assert (answer.status_code, answer.json()["message"]) == (400, "tts failed"), path
            assert "there are anna, heart" in answer.json()["Exception"]
        assert client.workshop.compiled == 0

    play(tmp_path, scenario)


# Clips and weights.


def test_a_clip_is_compiled_with_the_chosen_weights_and_then_refused_by_an_engine_without_it(
    tmp_path: Path,
) -> None:
    save_clip(tmp_path / "clip.wav")
    folder = tmp_path / "clips" / "deep"
    folder.mkdir(parents=True)
    (tmp_path / "clip.wav").rename(folder / "ada.wav")
    (tmp_path / "weights").mkdir()
    for source, name in (("t2s_v2.ckpt", "ada.ckpt"), ("sovits_v2.pth", "ada.pth")):
        (tmp_path / "weights" / name).write_bytes((GOLDEN / "ckpt" / source).read_bytes())

    async def scenario(client: Client) -> None:
        for path, name in (("/set_gpt_weights", "ada.ckpt"), ("/set_sovits_weights", "ada.pth")):
            answer = await client.get(path, {"weights_path": name})
            assert (answer.status_code, answer.json()) == (200, {"message": "success"})
        for path in ("deep/ada.wav", f"{tmp_path}/clips/deep/ada.wav", "./deep/ada.wav"):
            answer = await client.said(ref_audio_path=path, prompt_text="Good morning.")
            # This engine's voices are fixed: it never has the new one.
            assert "it is gone" in answer.json()["Exception"]
        assert client.workshop.compiled == 1
        (hidden,) = (tmp_path / "voices").glob(".clip-*")
        manifest = (hidden / "voice.toml").read_text(encoding="utf-8")
        assert "ada.ckpt" in manifest
        assert "ada.pth" in manifest
        answer = await client.said(ref_audio_path="deep/ada.wav")
        assert "prompt_text" in answer.json()["Exception"]

    play(tmp_path, scenario)


def test_weights_are_official_or_in_the_folder_for_them(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "text.ckpt").write_text("no weights", encoding="utf-8")
    (tmp_path / "secret.ckpt").write_bytes((GOLDEN / "ckpt" / "t2s_v2.ckpt").read_bytes())
    (tmp_path / "weights" / "s.pth").write_bytes((GOLDEN / "ckpt" / "sovits_v2.pth").read_bytes())

    async def scenario(client: Client) -> None:
        official = (
            "GPT_SoVITS/pretrained_models/gsv-v2final-pretrained/"
            "s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt"
        )
        for name in (official, "s1v3.ckpt", "v2", "official:v1"):
            answer = await client.get("/set_gpt_weights", {"weights_path": name})
            assert (answer.status_code, answer.json()) == (200, {"message": "success"})
        for name in ("../secret.ckpt", str(tmp_path / "secret.ckpt"), "text.ckpt", "s.pth", "v9"):
            answer = await client.get("/set_gpt_weights", {"weights_path": name})
            said = answer.json()
            assert (answer.status_code, said["message"]) == (400, "change gpt weight failed"), name
            assert said["Exception"] != ""
        answer = await client.get("/set_sovits_weights")
        assert answer.json() == {"message": "sovits weight path is required"}
        answer = await client.get("/set_refer_audio", {"refer_audio_path": "anna"})
        assert (answer.status_code, answer.json()) == (200, {"message": "success"})
        answer = await client.get("/set_refer_audio", {"refer_audio_path": "/etc/passwd"})
        assert (answer.status_code, answer.json()["message"]) == (400, "set refer audio failed")

    play(tmp_path, scenario)


def test_weights_are_chosen_by_who_may_manage(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        chosen = {"weights_path": "v2"}
        for key, status in ((KEY, 403), (MANAGER_KEY, 200)):
            headers = {"Authorization": f"Bearer {key}"}
            answer = await client.get("/set_gpt_weights", chosen, headers=headers)
            assert answer.status_code == status
            assert (await client.post("/tts", GOOD, headers=headers)).status_code == 200
        assert (await client.said()).status_code == 401

    play(tmp_path, scenario, base=WITH_KEYS.model_copy(update={"limits": LimitsConfig()}))


def test_a_clip_of_a_voice_means_that_voice(tmp_path: Path) -> None:
    folder = make_voice(tmp_path / "voices", "anna")

    async def scenario(client: Client) -> None:
        for path in ("neutral.wav", str(folder / "neutral.wav"), "some/where/anna/neutral.wav"):
            assert (await client.said(ref_audio_path=path)).status_code == 200
        said = [(one.voice, one.emotion) for one in client.engine.asked]
        assert said == [("anna", "neutral")] * 3

    play(tmp_path, scenario)
