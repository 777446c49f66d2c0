"""`python -m tts say`: with a scripted engine in this process, and whole in its own."""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import threading
import wave
from functools import partial
from pathlib import Path

import pytest

from tests.tts.fake_engine import RATE_HZ, FakeEngine, builders, ramp_pcm
from tests.tts.test_terminal import Screen
from tts.config import GptSovitsConfig, ServiceConfig
from tts.engine.types import Engine
from tts.errors import BadRequest, EngineFailed, VoiceNotFound
from tts.say import Account, Builders, add_arguments, find, run, say
from tts.sinks import WavFile
from tts.terminal import Terminal
from tts.types import SynthesisRequest, Voice

ROOT = Path(__file__).parents[2]
CONFIG = ServiceConfig()


class Saying:
    """One run of the command with given engines."""

    def __init__(self, folder: Path, builders: Builders) -> None:
        self.out = folder / "x.wav"
        self.screen = Screen()
        self._builders = builders

    async def say(self, voice: str = "ann", **fields: str) -> None:
        def request(voice: Voice) -> SynthesisRequest:
            return SynthesisRequest(
                fields.get("text", "hello"),
                voice.id,
                fields.get("language", "en"),
                emotion=fields.get("emotion", ""),
            )

        await say(voice, request, WavFile(self.out), CONFIG, self._builders, Terminal(self.screen))

    @property
    def left(self) -> list[str]:
        """Files in the folder."""
        return os.listdir(self.out.parent)


def test_all_is_said_into_the_file_and_accounted_for(tmp_path: Path) -> None:
    engine = FakeEngine()
    saying = Saying(tmp_path, builders(engine))
    asyncio.run(saying.say(emotion="happy"))
    with wave.open(str(saying.out)) as file:
        assert (file.getframerate(), file.getnframes()) == (RATE_HZ, 1000)
        assert file.readframes(1000) == ramp_pcm(1000)
    assert engine.emotions == ["happy"]
    assert engine.closed
    last = saying.screen.getvalue().splitlines()[-1]
    assert last.rpartition("\x1b[K")[2].startswith(
        f"{saying.out}: 1.00 s of audio, real-time factor "
    )


def test_the_engine_speaks_nothing_before_the_text(tmp_path: Path) -> None:
    engine = FakeEngine()
    asyncio.run(Saying(tmp_path, builders(engine)).say())
    assert {text for text, _ in engine.steps} == {"hello"}


def test_engines_after_that_of_the_voice_are_not_built(tmp_path: Path) -> None:
    def never() -> Engine:
        raise AssertionError("built")

    saying = Saying(tmp_path, {**builders(FakeEngine()), "other": never})
    asyncio.run(saying.say())
    assert saying.left == ["x.wav"]


def test_engines_before_that_of_the_voice_are_closed(tmp_path: Path) -> None:
    first = FakeEngine(voices=(Voice("eve", ("en",), RATE_HZ, "first"),))
    saying = Saying(tmp_path, {"first": lambda: first, **builders(FakeEngine())})
    asyncio.run(saying.say())
    assert first.closed
    assert first.steps == []


@pytest.mark.parametrize("cloned", [True, False])
def test_a_folder_decides_whether_the_engine_of_cloned_voices_is_asked_first_or_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloned: bool
) -> None:
    def never() -> Engine:
        raise AssertionError("built")

    (tmp_path / "voices" / ("ann" if cloned else "eve")).mkdir(parents=True)
    asked, other = ("gpt-sovits", "hibari") if cloned else ("hibari", "gpt-sovits")
    # The one not to be asked comes first in the configured order.
    monkeypatch.setattr("tts.say.engines.builders", lambda _: {other: never, asked: FakeEngine})
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(["hello", "--voice", "ann", "--out", str(tmp_path / "x.wav")])
    folders = GptSovitsConfig(voices_dir=tmp_path / "voices")
    assert run(args, ServiceConfig(gpt_sovits=folders)) == 0
    assert (tmp_path / "x.wav").exists()


def test_an_unknown_voice_lists_those_there_are_and_what_was_left_out() -> None:
    def missing() -> Engine:
        raise ImportError("install parley-voice[cjk]")

    def broken() -> Engine:
        raise ValueError("no such folder")

    engines = {"missing": missing, **builders(FakeEngine()), "broken": broken}
    with pytest.raises(VoiceNotFound) as error:
        asyncio.run(find("eve", CONFIG, engines))
    said = str(error.value)
    assert said.startswith("voice = 'eve': there are ann, bob; left out: ")
    assert "install parley-voice[cjk]" in said
    assert "engine broken does not load: no such folder" in said


def test_a_failure_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    engine = FakeEngine(fails_at=2)
    saying = Saying(tmp_path, builders(engine))
    with pytest.raises(EngineFailed, match="scripted"):
        asyncio.run(saying.say())
    assert saying.left == []
    assert engine.closed


def test_a_request_that_is_refused_leaves_no_file(tmp_path: Path) -> None:
    saying = Saying(tmp_path, builders(FakeEngine()))
    with pytest.raises(BadRequest, match="language = 'ja': voice 'bob' speaks en"):
        asyncio.run(saying.say("bob", language="ja"))
    assert saying.left == []


def test_a_stop_in_the_middle_leaves_no_file_and_no_thread(tmp_path: Path) -> None:
    gate = threading.Semaphore(1)  # one piece, then nothing comes
    engine = FakeEngine(gate=gate)
    saying = Saying(tmp_path, builders(engine))

    async def scenario() -> None:
        task = asyncio.create_task(saying.say())
        while ".x.wav.part" not in saying.left:  # noqa: ASYNC110 - another thread leads there
            await asyncio.sleep(0.001)
        task.cancel()
        gate.release(3)  # the step under way is finished, and any that begins before it is dropped
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert saying.left == []
    assert engine.closed
    assert [t.name for t in threading.enumerate() if t.name.startswith("tts-")] == []


def test_the_account_is_in_the_units_people_ask_for() -> None:
    account = Account(began_s=10.0)
    account.add(500, 1000, now_s=10.125)
    account.add(1500, 1000, now_s=10.5)
    assert str(account) == "2.00 s of audio, real-time factor 0.250, first audio after 125 ms"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tts", "say", "--settings", '{"engines": ["hibari"]}', *arguments]


@pytest.mark.real
def test_text_from_standard_input_becomes_a_file(tmp_path: Path) -> None:
    ended = subprocess.run(
        command("-", "--voice", "heart", "--out", str(tmp_path / "x.wav")),
        cwd=ROOT,
        input="Good morning to you all.\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stdout) == (0, "")
    with wave.open(str(tmp_path / "x.wav")) as file:
        seconds = file.getnframes() / file.getframerate()
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith(f"{tmp_path / 'x.wav'}: {seconds:.2f} s of audio, ")


@pytest.mark.real
def test_an_unknown_voice_is_an_error_with_the_list(tmp_path: Path) -> None:
    ended = subprocess.run(
        command("Hello.", "--voice", "hart", "--out", str(tmp_path / "x.wav")),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "voice = 'hart': there are heart\n"


@pytest.mark.real
def test_ctrl_c_stops_without_a_trace(tmp_path: Path) -> None:
    text = "This sentence is one of very many that follow. " * 40
    process = subprocess.Popen(
        command(text, "--voice", "heart", "--out", str(tmp_path / "x.wav")),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # A shell without job control has what it puts into the background ignore SIGINT, and so
        # would every process started from there.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        while not os.listdir(tmp_path):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, said) == (130, "stopped\n")
    assert os.listdir(tmp_path) == []
