"""The endpoint for recordings, with a scripted recogniser behind real HTTP."""

import asyncio
import io
import json
import wave
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from agent.stt.decoder import Wanted
from agent.stt.types import SttFailed
from agent.transcriptions import MAX_FILE_BYTES, PATH, Events, decoded, srt, vtt
from tests.agent.doors import Answer, FakeWorker, bearer, says
from tts.errors import BadRequest

TWO = ("One.", "Zwei, drei.")


def recording(seconds: float = 0.5, rate_hz: int = 8000, channels: int = 2) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(b"\x10\x00" * round(seconds * rate_hz) * channels)
    return out.getvalue()


def form(file: bytes | None = None, **fields: Any) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for key, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            data.add_field(key.replace("__", "[]"), one)
    sound = recording() if file is None else file
    data.add_field("file", io.BytesIO(sound), filename="a.wav", content_type="audio/wav")
    return data


def ask(folder: Path, data: Any, transcribe: Any = None, **options: Any) -> Answer:
    async def scenario() -> Answer:
        worker = FakeWorker(folder, transcribe=transcribe or says(*TWO))
        worker.token = options.pop("token", None)
        async with worker.open() as client:
            return await client.send("POST", PATH, data=data, **options)

    return asyncio.run(scenario())


def test_a_recording_becomes_text_at_16_khz_whatever_it_was(tmp_path: Path) -> None:
    asked: list[tuple[int, Wanted]] = []
    data = form(model="whisper-1", language="de", prompt="Zahlen", temperature="0.5")
    answer = ask(tmp_path, data, says(*TWO, asked=asked))
    assert answer.json == {
        "text": "One. Zwei, drei.",
        "usage": {"type": "duration", "seconds": 2},
    }
    assert asked == [(8000, Wanted("de", "Zahlen", 0.5, False))]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("text", "One. Zwei, drei.\n"),
        (
            "srt",
            "1\n00:00:00,000 --> 00:00:00,750\nOne.\n\n"
            "2\n00:00:01,000 --> 00:00:01,750\nZwei, drei.\n\n",
        ),
        (
            "vtt",
            "WEBVTT\n\n00:00:00.000 --> 00:00:00.750\nOne.\n\n"
            "00:00:01.000 --> 00:00:01.750\nZwei, drei.\n\n",
        ),
    ],
)
def test_plain_formats(tmp_path: Path, wanted: str, text: str) -> None:
    assert ask(tmp_path, form(response_format=wanted)).text == text


def test_verbose_json_has_the_times_that_were_asked_for(tmp_path: Path) -> None:
    data = form(response_format="verbose_json", timestamp_granularities__=["word"])
    body = ask(tmp_path, data).json
    assert "segments" not in body
    assert body["words"] == [
        {"word": "One.", "start": 0.0, "end": 0.5},
        {"word": "Zwei, drei.", "start": 1.0, "end": 1.5},
    ]
    body = ask(tmp_path, form(response_format="verbose_json")).json
    assert "words" not in body
    assert [(one["id"], one["start"], one["text"]) for one in body["segments"]] == [
        (0, 0.0, " One."),
        (1, 1.0, " Zwei, drei."),
    ]
    assert (body["language"], body["duration"]) == ("en", 2.0)


def test_events_come_segment_by_segment_and_end_with_all_of_it(tmp_path: Path) -> None:
    answer = ask(tmp_path, form(stream="true"))
    assert answer.headers["Content-Type"] == "text/event-stream"
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    assert [(one["type"], one.get("delta", one.get("text"))) for one in events] == [
        ("transcript.text.delta", " One."),
        ("transcript.text.delta", " Zwei, drei."),
        ("transcript.text.done", "One. Zwei, drei."),
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"file": b"PK\x03\x04 not a sound"}, "file: not a recording"),
        ({"file": b""}, "file: not a recording"),
        ({"response_format": "xml"}, "response_format = 'xml'"),
        ({"temperature": "7"}, "temperature = '7'"),
        ({"language": "english"}, "language = 'english'"),
        ({"prompt": "x" * 20_000}, "prompt: longer than"),
    ],
)
def test_what_is_wrong_with_a_form_is_named(tmp_path: Path, fields: Any, said: str) -> None:
    answer = ask(tmp_path, form(**fields))
    assert (answer.status, answer.error["code"]) == (400, "bad_request")
    assert answer.error["message"].startswith(said)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "application/json"),
        (b"no form at all", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\nno name\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x", "multipart/form-data"),
    ],
)
def test_a_body_that_is_no_form_is_refused(tmp_path: Path, body: bytes, content_type: str) -> None:
    answer = ask(tmp_path, body, headers={"Content-Type": content_type})
    assert (answer.status, answer.error["code"]) == (400, "bad_request")


def test_a_recording_beyond_the_bound_is_refused(tmp_path: Path) -> None:
    answer = ask(tmp_path, form(b"\x00" * (MAX_FILE_BYTES + 1)))
    assert "25 MiB" in answer.error["message"]


def test_a_recogniser_that_fails_is_an_error_with_its_code(tmp_path: Path) -> None:
    async def fails(audio: Any, wanted: Wanted) -> Events:
        raise SttFailed("no memory")
        yield

    answer = ask(tmp_path, form(), fails)
    assert (answer.status, answer.error["code"]) == (500, "engine_failed")


def test_one_recording_too_many_is_told_to_come_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def slow(audio: Any, wanted: Wanted) -> Events:
            await gate.wait()
            async for event in says("Done.")(audio, wanted):
                yield event

        async with FakeWorker(tmp_path, transcribe=slow).open() as client:
            running = [
                asyncio.create_task(client.send("POST", PATH, data=form()), name=f"r{i}")
                for i in range(6)
            ]
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            (refused,) = (task.result() for task in done)
            assert (refused.status, refused.error["code"]) == (429, "overloaded")
            assert refused.headers["Retry-After"] == "10"
            gate.set()
            answers = await asyncio.gather(*running)
            assert sorted(answer.status for answer in answers) == [200] * 5 + [429]

    asyncio.run(scenario())


def test_the_daemon_s_token_is_asked_for(tmp_path: Path) -> None:
    assert ask(tmp_path, form(), token="t").status == 401
    assert ask(tmp_path, form(), token="t", headers=bearer("t")).status == 200


def test_sound_is_decoded_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(recording(1.0, rate_hz=16_000, channels=1))
    samples = decoded(path)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, np.full(16_000, 16 / 32768), atol=1e-6)


def test_a_recording_that_goes_on_for_ever_is_not_decoded_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.transcriptions.MAX_FILE_S", 2.0)
    path = tmp_path / "a"
    path.write_bytes(recording(3.0))
    with pytest.raises(BadRequest, match="longer than 2 s"):
        decoded(path)


def test_no_segments_make_empty_subtitles() -> None:
    assert (srt([]), vtt([])) == ("", "WEBVTT\n\n")
