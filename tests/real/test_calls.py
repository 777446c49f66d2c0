"""Real calls: real models, real sockets, a real daemon, and the caller's own recording as judge."""

import asyncio
import os
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from agent.config import SttConfig, cache_dir
from agent.stt.whisper import WhisperStt
from bench.calls import RATE_HZ, word_distance, words
from tests.real.daemon import Daemon, running_daemon
from transports.caller import Caller, CallRefused

pytestmark = pytest.mark.real

ANSWER_WITHIN_S = 40.0
SILENCE_TIMEOUT_S = 5.0


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calls")


@pytest.fixture(scope="module")
def daemon(recordings: Path) -> Iterator[Daemon]:
    settings = [
        "server.max_calls=2",
        "turns.idle_prompt_s=0",
        f"webrtc.silence_timeout_s={SILENCE_TIMEOUT_S}",
        "calls.record=true",
        f"calls.log_dir={recordings}",
    ]
    with running_daemon(*settings) as running:
        yield running


@pytest.fixture(scope="module")
def questions() -> dict[str, NDArray[np.int16]]:
    """Questions in a synthetic voice, 16 kHz."""
    from hibari import Hibari

    voice = Hibari()
    spoken = {}
    for text in ("What is the capital of France?", "How are you doing today?"):
        audio = soxr.resample(np.asarray(voice(text), np.float32), 24_000, RATE_HZ)
        spoken[text] = (audio / np.abs(audio).max() * 16_000).astype(np.int16)
    return spoken


async def ask(caller: Caller, pcm: NDArray[np.int16]) -> tuple[float, float]:
    """Ask, wait for the whole answer; returns the ends of the question and of the answer."""
    await caller.wait_for_quiet(1.0)
    speech = await caller.say(pcm)
    async with asyncio.timeout(ANSWER_WITHIN_S):
        await caller.wait_for_voice(speech.end_s + 0.05)
        return speech.end_s, await caller.wait_for_quiet(1.5)


def notes(caller: Caller, kind: str) -> list[dict[str, object]]:
    return [
        m.content["data"]
        for m in caller.messages
        if m.content.get("type") == "server-message" and m.content["data"]["type"] == kind
    ]


def heard_from_caller(caller: Caller) -> list[str]:
    return [
        m.content["data"]["text"]
        for m in caller.messages
        if m.content.get("type") == "user-transcription" and m.content["data"]["final"]
    ]


async def transcribe(side: NDArray[np.int16]) -> list[str]:
    stt = WhisperStt(SttConfig(window="full"), cache_dir=cache_dir(os.environ))
    await stt.start()
    try:
        audio = side.astype(np.float32) / np.float32(32768)
        return words((await stt.transcribe(audio, language="en", final=True)).text)
    finally:
        await stt.close()


def test_what_the_caller_hears_is_what_the_screen_says_and_what_the_recording_keeps(
    daemon: Daemon, questions: dict[str, NDArray[np.int16]], recordings: Path
) -> None:
    async def call() -> None:
        caller = await Caller.dial(daemon.url)
        try:
            asked, pcm = next(iter(questions.items()))
            question_end_s, _ = await ask(caller, pcm)
        finally:
            await caller.hang_up()
        assert words(heard_from_caller(caller)[0]) == words(asked)
        right = caller.recording(RATE_HZ)[int(question_end_s * RATE_HZ) :, 1]
        utterance = max(int(str(note["utterance"])) for note in notes(caller, "agent-text"))
        shown = words(
            "".join(
                str(note["text"])
                for note in notes(caller, "agent-text")
                if note["utterance"] == utterance
            )
        )
        sounded = await transcribe(right)
        assert len(shown) >= 3
        assert word_distance(sounded, shown) <= max(1, len(shown) // 4), (sounded, shown)
        kept = await asyncio.to_thread(kept_recording, recordings)
        assert words(asked) == await transcribe(kept[:, 0])
        answer = (await transcribe(kept[:, 1]))[-len(shown) :]
        assert word_distance(answer, shown) <= max(1, len(shown) // 4), (answer, shown)

    asyncio.run(call())


def kept_recording(folder: Path) -> NDArray[np.int16]:
    """The daemon's own stereo recording of its only call so far, at 16 kHz."""
    give_up_s = time.monotonic() + 10
    while not any('"log_closed"' in log.read_text() for log in folder.glob("*.jsonl")):
        assert time.monotonic() < give_up_s, "the call's log was not closed"
        time.sleep(0.1)
    (path,) = folder.glob("*.wav")
    with wave.open(str(path)) as file:
        assert file.getnchannels() == 2
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
        return soxr.resample(pcm, file.getframerate(), RATE_HZ)


@pytest.mark.parametrize("child", ["tts serve", "agent.llm.local_server"])
def test_a_call_outlives_a_killed_child(
    daemon: Daemon, questions: dict[str, NDArray[np.int16]], child: str
) -> None:
    async def call() -> None:
        caller = await Caller.dial(daemon.url)
        first, second = questions.values()
        try:
            await caller.wait_for_quiet(1.0)
            speech = await caller.say(first)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await caller.wait_for_voice(speech.end_s + 0.05)
            daemon.kill(child)  # in the middle of a reply
            await caller.wait_for_quiet(2.0)
            await daemon.wait_for(child)
            before = len(notes(caller, "turn-latency"))
            await ask(caller, second)
            assert len(notes(caller, "turn-latency")) == before + 1
        finally:
            await caller.hang_up()

    asyncio.run(call())


def test_a_killed_worker_is_back_for_the_next_call(
    daemon: Daemon, questions: dict[str, NDArray[np.int16]]
) -> None:
    async def call() -> None:
        lost = await Caller.dial(daemon.url)
        daemon.kill("agent.worker")
        await daemon.wait_for("agent.worker")
        caller = await Caller.dial(daemon.url, connect_timeout_s=60)
        try:
            await ask(caller, next(iter(questions.values())))
        finally:
            await caller.hang_up()
            await lost.hang_up()

    asyncio.run(call())


def test_one_call_too_many_is_refused_and_the_others_do_not_notice(daemon: Daemon) -> None:
    async def call() -> None:
        callers = [await Caller.dial(daemon.url) for _ in range(2)]
        try:
            with pytest.raises(CallRefused) as refused:
                await Caller.dial(daemon.url)
            assert refused.value.status == 503
            async with asyncio.timeout(ANSWER_WITHIN_S):
                for caller in callers:
                    await caller.wait_for_voice(0.0)
        finally:
            for caller in callers:
                await caller.hang_up()

    asyncio.run(call())


DIAL_AND_STAY = """
import asyncio, sys
from transports.caller import Caller

async def call():
    caller = await Caller.dial(sys.argv[1])
    print("connected", flush=True)
    await caller.wait_ended()

asyncio.run(call())
"""


def test_a_caller_that_vanishes_does_not_disturb_the_other_and_gives_its_line_back(
    daemon: Daemon, questions: dict[str, NDArray[np.int16]]
) -> None:
    async def call() -> None:
        command = [sys.executable, "-c", DIAL_AND_STAY, daemon.url]
        vanishing = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        try:
            assert vanishing.stdout and await vanishing.stdout.readline() == b"connected\n"
            staying = await Caller.dial(daemon.url)
        finally:
            vanishing.kill()
            await vanishing.wait()
        try:
            await ask(staying, next(iter(questions.values())))
            async with asyncio.timeout(SILENCE_TIMEOUT_S + 5):
                await (await dial_when_free(daemon.url)).hang_up()
        finally:
            await staying.hang_up()

    asyncio.run(call())


async def dial_when_free(url: str) -> Caller:
    while True:
        try:
            return await Caller.dial(url)
        except CallRefused as refusal:
            assert refusal.status == 503
            await asyncio.sleep(0.2)


def test_twenty_calls_in_a_row_leave_memory_flat(
    daemon: Daemon, questions: dict[str, NDArray[np.int16]]
) -> None:
    """Growth is judged over the last fifteen calls: the first ones fill caches and arenas."""
    question = next(iter(questions.values()))

    async def one() -> None:
        caller = await dial_when_free(daemon.url)
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await caller.wait_for_voice(0.0)
            speech = await caller.say(question)  # into the greeting
            await caller.wait_for_voice(speech.end_s + 0.1)
        await caller.hang_up()

    async def calls(count: int) -> int:
        for _ in range(count):
            await one()
        await asyncio.sleep(4.0)  # the worker tidies up a moment after a call
        return daemon.process("agent.worker").memory_info().rss

    async def soak() -> None:
        early = await calls(5)
        late = await calls(15)
        assert late - early < 12_000_000, f"{(late - early) / 1e6:.1f} MB in 15 calls"

    asyncio.run(soak())


def test_a_caller_whom_the_daemon_leaves_is_told_why() -> None:
    async def call(daemon: Daemon) -> None:
        caller = await Caller.dial(daemon.url)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await caller.wait_for_voice(0.0)
                daemon.stop()
                await caller.wait_ended()
        finally:
            await caller.hang_up()
        assert [note["reason"] for note in notes(caller, "call-ended")] == ["server stopping"]

    with running_daemon("server.drain_s=1") as stopping:
        asyncio.run(call(stopping))
