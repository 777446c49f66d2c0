"""The unmodified `openai` client, asking the service alone and the daemon."""

import re
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.real.daemon import READY_S, ROOT, STOP_S, Output, running_daemon

pytestmark = pytest.mark.real

HUMAN = ROOT / "bench" / "data" / "human"
SENTENCE = "The quick brown fox jumps over the lazy dog."


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+|\d+", text.lower())


@pytest.fixture(scope="module")
def alone() -> Iterator[str]:
    """`parley tts serve`, and the address that it says it has."""
    command = [
        *(sys.executable, "-m", "agent.cli", "tts", "serve"),
        *("--http", "127.0.0.1:0", "--grpc", ""),
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        output = Output(process)
        try:
            yield output.address()
        finally:
            process.terminate()
            process.wait(STOP_S)
            output.join()


@pytest.fixture(scope="module")
def inside() -> Iterator[str]:
    """A daemon."""
    with running_daemon() as daemon:
        yield daemon.url


@pytest.fixture(params=["alone", "inside"])
def client(request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    url = request.getfixturevalue(request.param)
    with openai.OpenAI(base_url=f"{url}v1", api_key="none", max_retries=0, timeout=READY_S) as one:
        yield one


def test_what_is_spoken_is_understood(client: openai.OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "said.mp3"
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=SENTENCE
    ) as answer:
        answer.stream_to_file(path)
    with path.open("rb") as file:
        heard = client.audio.transcriptions.create(model="whisper-1", file=file)
    assert words(heard.text) == words(SENTENCE)


def test_a_human_voice_is_written_down_with_its_times(client: openai.OpenAI) -> None:
    path = HUMAN / "goforward.wav"
    with path.open("rb") as file:
        heard = client.audio.transcriptions.create(
            model="whisper-1",
            file=file,
            language="en",
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
    with wave.open(str(path)) as recording:
        seconds = recording.getnframes() / recording.getframerate()
    assert words(heard.text) == ["go", "forward", "10", "meters"]
    assert heard.duration == pytest.approx(seconds, abs=0.01)
    assert heard.words is not None and heard.segments is not None
    assert [words(one.word) for one in heard.words] == [["go"], ["forward"], ["10"], ["meters"]]
    starts = [one.start for one in heard.words]
    assert starts == sorted(starts)
    assert 0 <= starts[0] < heard.words[-1].end <= seconds + 0.1


def test_a_transcript_comes_in_events(client: openai.OpenAI) -> None:
    with (HUMAN / "goforward.wav").open("rb") as file:
        events = list(
            client.audio.transcriptions.create(model="gpt-4o-transcribe", file=file, stream=True)
        )
    assert [one.type for one in events] == ["transcript.text.delta", "transcript.text.done"]
    assert events[-1].type == "transcript.text.done"
    assert words(events[-1].text) == ["go", "forward", "10", "meters"]


def test_what_is_no_recording_is_an_error_that_says_so(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="file: not a recording"):
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"PK\x03\x04 zip"))


def test_a_daemon_with_a_token_speaks_and_listens_to_nobody_else() -> None:
    """Whatever variable the token stands in, the speech service behind the daemon asks for it."""
    with running_daemon("server.token_env=MY_TOKEN", environment={"MY_TOKEN": "secret"}) as daemon:
        for key in ("none", "Secret"):
            with openai.OpenAI(
                base_url=f"{daemon.url}v1", api_key=key, max_retries=0, timeout=READY_S
            ) as client:
                with pytest.raises(openai.AuthenticationError):
                    client.audio.speech.create(model="tts-1", voice="alloy", input=SENTENCE)
                with pytest.raises(openai.AuthenticationError):
                    client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"x"))
        with openai.OpenAI(
            base_url=f"{daemon.url}v1", api_key="secret", max_retries=0, timeout=READY_S
        ) as client:
            said = client.audio.speech.create(
                model="tts-1", voice="alloy", input=SENTENCE, response_format="wav"
            )
            heard = client.audio.transcriptions.create(
                model="whisper-1", file=("said.wav", said.content)
            )
            assert words(heard.text) == words(SENTENCE)
