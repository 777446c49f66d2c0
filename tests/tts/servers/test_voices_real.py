"""Voices over REST: making, extending, deleting, and uploads that mean no good."""

import asyncio
import datetime
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import soundfile

from tests.tts.paces import spoken
from tests.tts.servers.http_doors import KEY, MANAGER_KEY, WITH_KEYS, error_in, raw, served
from tests.tts.voices.folders import GOLDEN, RATE_HZ
from tests.tts.voices.scripted import FolderOffering, ScriptedWorkshop
from tts.config import GptSovitsConfig, HttpConfig, ServiceConfig
from tts.engine.types import Piece
from tts.light.hibari import VOICE, HibariEngine
from tts.servers.voices import VoicesApi
from tts.types import SynthesisRequest
from tts.voices.errors import VoiceError
from tts.voices.managing import VoiceManager
from tts.voices.manifest import load_manifest

pytestmark = pytest.mark.real

SAID = "Good morning, this is a short clip of my voice, and I hope that you like it."
FIELDS = {
    "id": "ada",
    "text": "Good morning.",
    "language": "en",
    "t2s": "ada.ckpt",
    "sovits": "ada.pth",
    "consent": "true",
}
SMALL = ServiceConfig(http=HttpConfig(max_upload_bytes=1_000_000))


@dataclass
class Client:
    url: str
    port: int
    manager: VoiceManager
    workshop: ScriptedWorkshop
    voices_dir: Path
    clip: bytes
    key: str = ""

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return await asyncio.to_thread(
            requests.request, method, self.url + path, headers=headers, timeout=20, **more
        )

    async def upload(
        self,
        clip: bytes | None = None,
        *,
        path: str = "/v1/voices",
        name: str = "clip.wav",
        sent_as: str = "audio/wav",
        **fields: str | None,
    ) -> Any:
        data = {key: value for key, value in (FIELDS | fields).items() if value is not None}
        files = {"clip": (name, self.clip if clip is None else clip, sent_as)}
        return await self.ask("POST", path, data=data, files=files)

    async def settled(self) -> None:
        await asyncio.gather(*self.manager._tasks.values(), return_exceptions=True)

    def lying(self) -> set[str]:
        if not self.voices_dir.exists():
            return set()
        return {path.name for path in self.voices_dir.iterdir()} - {".weights"}


@asynccontextmanager
async def client(tmp_path: Path, base: ServiceConfig) -> AsyncIterator[Client]:
    weights, voices_dir = tmp_path / "weights", tmp_path / "voices"
    weights.mkdir()
    for source, name in (("t2s_v2.ckpt", "ada.ckpt"), ("sovits_v2.pth", "ada.pth")):
        (weights / name).write_bytes((GOLDEN / "ckpt" / source).read_bytes())
    config = GptSovitsConfig(voices_dir=voices_dir, pretrained_dir=tmp_path / "none")
    workshop = ScriptedWorkshop(config)
    manager = VoiceManager(config, FolderOffering(voices_dir), workshop, weights_dir=weights)
    await manager.start()
    try:
        async with served(VoicesApi(manager, base.http).operations(), base) as (_, port):
            url = f"http://127.0.0.1:{port}"
            yield Client(url, port, manager, workshop, voices_dir, speech())
    finally:
        await manager.stop()


@cache
def speech() -> bytes:
    """A few seconds of a voice that is told from music."""
    said = spoken(HibariEngine(threads=1), SynthesisRequest(SAID, VOICE.id, "en"))
    samples = np.concatenate([piece.samples for piece in said if isinstance(piece, Piece)])
    return sound(samples, VOICE.sample_rate_hz)


def play(
    tmp_path: Path,
    scenario: Callable[[Client], Awaitable[None]],
    base: ServiceConfig = SMALL,
) -> None:
    async def run() -> None:
        async with client(tmp_path, base) as found:
            await scenario(found)

    asyncio.run(run())


def error_of(answer: Any) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def sound(samples: np.ndarray, rate_hz: int = RATE_HZ, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=kind)
    return file.getvalue()


def test_a_voice_is_made_shown_extended_and_deleted(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        listed = (await client.ask("GET", "/v1/voices")).json()["voices"]
        assert [(one["id"], one["engine"], one["state"]) for one in listed] == [
            ("heart", "hibari", "ready")
        ]
        client.workshop.go_on.clear()
        answer = await client.upload(description="Warm.", licence="CC0-1.0")
        assert (answer.status_code, answer.headers["Location"]) == (202, "/v1/voices/ada")
        assert answer.json() == {"id": "ada", "state": "compiling", "warnings": []}
        assert (await client.ask("GET", "/v1/voices/ada")).json()["state"] == "compiling"
        client.workshop.go_on.set()
        await client.settled()
        shown = (await client.ask("GET", answer.headers["Location"])).json()
        assert (shown["state"], shown["reason"], shown["consent"]) == ("ready", "", True)
        assert (shown["name"], shown["licence"], shown["languages"]) == ("ada", "CC0-1.0", ["en"])
        consent = load_manifest(client.voices_dir / "ada").consent
        assert consent is not None
        assert consent.when == datetime.datetime.now(datetime.UTC).date()
        assert consent.who == "as somebody without a key said, who uploaded the clip"
        more = {"t2s": None, "sovits": None, "id": None, "consent_by": "Ada L."}
        answer = await client.upload(path="/v1/voices/ada/references", emotion="happy", **more)
        assert answer.status_code == 202
        await client.settled()
        manifest = load_manifest(client.voices_dir / "ada")
        assert [one.emotion for one in manifest.reference] == ["neutral", "happy"]
        assert (await client.ask("DELETE", "/v1/voices/ada")).status_code == 204
        assert client.lying() == set()
        assert error_of(await client.ask("GET", "/v1/voices/ada"))[:2] == (404, "voice_not_found")

    play(tmp_path, scenario)


def test_what_cannot_be_done_says_why(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.ask("DELETE", "/v1/voices/heart")
        assert error_of(answer)[:2] == (409, "voice_conflict")
        assert error_of(await client.upload(id="heart"))[:2] == (409, "voice_conflict")
        answer = await client.upload(
            path="/v1/voices/nobody/references", id=None, t2s=None, sovits=None
        )
        assert error_of(answer)[:2] == (404, "voice_not_found")
        for path in ("/v1/voices/..%2Fada", "/v1/voices/%00", "/v1/voices/" + "a" * 300):
            for method in ("GET", "DELETE"):
                assert error_of(await client.ask(method, path))[:2] == (404, "voice_not_found")
        client.workshop.error = VoiceError("the Chinese RoBERTa is missing")
        assert (await client.upload()).status_code == 202
        await client.settled()
        shown = (await client.ask("GET", "/v1/voices/ada")).json()
        assert (shown["state"], shown["reason"]) == ("failed", "the Chinese RoBERTa is missing")
        assert client.lying() == set()

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"consent": None}, "consent"),
        ({"consent": "false"}, "consent"),
        ({"consent": "maybe"}, "consent"),
        ({"id": "../../etc"}, "id"),
        ({"id": "Ada"}, "id"),
        ({"id": ""}, "id"),
        ({"text": "?!"}, "text"),
        ({"text": "a" * 2001}, "text"),
        ({"language": "xx"}, "language"),
        ({"emotion": "../x"}, "emotion"),
        ({"t2s": "../voices/ada.ckpt"}, "t2s"),
        ({"t2s": "/etc/passwd"}, "t2s"),
        ({"sovits": "ada.ckpt"}, "sovits"),
        ({"weights": "v9", "t2s": None}, "t2s"),
        ({"unknown": "x"}, "unknown"),
    ],
)
def test_fields_are_refused_by_name(
    tmp_path: Path, fields: dict[str, str | None], word: str
) -> None:
    async def scenario(client: Client) -> None:
        status, code, message = error_of(await client.upload(**fields))
        assert (status, code) == (400, "bad_request")
        assert word in message
        assert client.lying() == set()

    play(tmp_path, scenario)


def hostile() -> dict[str, tuple[bytes, str]]:
    """Files that are no recordings of a person, and what is said of them."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("clip.wav", bytes(1000))
    seconds = np.arange(5 * RATE_HZ) / RATE_HZ
    chords = sum(np.sin(2 * np.pi * hz * seconds) for hz in (220, 277, 330, 440)) / 8
    tune = np.sin(2 * np.pi * 220 * 2 ** (np.floor(seconds * 3) % 5 / 12 * 2) * seconds)
    struck = 0.5 * tune * np.exp(-6 * (seconds * 3 % 1)) * (seconds * 3 % 1 < 0.8)
    whole = sound(0.1 * np.random.default_rng(0).standard_normal(5 * RATE_HZ))
    return {
        "zip": (archive.getvalue(), "is a zip archive"),
        "video": (b"\0\0\0\x20ftypisom" + bytes(5000), "is an MP4 file"),
        "matroska": (b"\x1aE\xdf\xa3" + bytes(5000), "Matroska"),
        "silence": (sound(np.zeros(5 * RATE_HZ)), "is silent"),
        "chords": (sound(chords), "has a voice in 0%"),
        "melody": (sound(struck), "has a voice in 0%"),
        "truncated": (whole[:30], "damaged"),
        "cut short": (whole[:20_000], "lasts 0.6"),
        "too long": (sound(np.zeros(20 * RATE_HZ, np.int8).astype(np.int16)), "lasts 20"),
        "text": (b"#!/bin/sh\nrm -rf /\n", "no sound file"),
        "nothing": (b"", "is an empty file"),
    }


@pytest.mark.parametrize("kind", hostile())
def test_what_is_no_recording_of_a_person_is_refused_with_the_reason(
    tmp_path: Path, kind: str
) -> None:
    content, reason = hostile()[kind]

    async def scenario(client: Client) -> None:
        status, code, message = error_of(await client.upload(content))
        assert (status, code) == (422, "clip_refused")
        assert reason in message
        assert client.lying() == set()

    play(tmp_path, scenario)


def test_what_is_sent_as_something_else_is_refused_with_every_reason(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.upload(client.clip, sent_as="text/html")
        assert error_of(answer)[:2] == (422, "clip_refused")
        assert "was sent as text/html" in error_of(answer)[2]
        silence = sound(np.zeros(RATE_HZ))
        message = error_of(await client.upload(silence, sent_as="video/mp4"))[2]
        assert all(word in message for word in ("sent as video/mp4", "lasts 1.000 s", "is silent"))

    play(tmp_path, scenario)


def test_a_file_is_named_by_what_is_in_it_and_not_by_its_sender(tmp_path: Path) -> None:
    samples, rate_hz = soundfile.read(io.BytesIO(speech()))
    flac = sound(samples, rate_hz, "FLAC")

    async def scenario(client: Client) -> None:
        for number, name in enumerate(
            ("../../../etc/cron.d/x", "voice.toml", "~root/.ssh/x.sh", "x" * 999)
        ):
            answer = await client.upload(flac, name=name, id=f"ada{number}")
            assert answer.status_code == 202
            await client.settled()
            lying = {path.name for path in (client.voices_dir / f"ada{number}").iterdir()}
            assert lying == {"voice.toml", "neutral.flac", "compiled.safetensors"}
        assert client.lying() == {f"ada{number}" for number in range(4)}

    play(tmp_path, scenario)


def test_a_body_of_2_gb_is_refused_by_its_header(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        head = (
            "POST /v1/voices HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 2147483648\r\n\r\n"
        )
        status, _, body = await raw(client.port, head.encode())
        assert (status, error_in(body)["code"]) == (413, "body_too_large")

    play(tmp_path, scenario)


def test_a_clip_above_the_bound_is_refused(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        assert error_of(await client.upload(bytes(1_100_000)))[:2] == (413, "body_too_large")
        assert client.lying() == set()

    play(tmp_path, scenario)


def test_a_form_of_10000_fields_is_refused(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        part = '--x\r\nContent-Disposition: form-data; name="f{}"\r\n\r\n1\r\n'
        body = "".join(part.format(number) for number in range(10_000)) + "--x--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await asyncio.to_thread(
            requests.post,
            client.url + "/v1/voices",
            data=body,
            headers=headers,
            timeout=20,
        )
        assert error_of(answer)[:2] == (400, "bad_request")
        assert "parts" in error_of(answer)[2]

    play(tmp_path, scenario)


def test_making_and_deleting_needs_a_key_that_may(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        client.key = KEY
        assert (await client.ask("GET", "/v1/voices")).status_code == 200
        assert error_of(await client.upload())[:2] == (403, "forbidden")
        assert error_of(await client.ask("DELETE", "/v1/voices/heart"))[:2] == (403, "forbidden")
        client.key = MANAGER_KEY
        assert (await client.upload()).status_code == 202
        await client.settled()
        consent = load_manifest(client.voices_dir / "ada").consent
        assert consent is not None
        assert consent.who == "as manager said, who uploaded the clip"

    play(tmp_path, scenario, WITH_KEYS)
