"""`parley talk`: a whole call over real WebRTC, with a recording in place of a person.

In: a sound file and a daemon (or a configuration to start one with).  Out: a stereo recording of
the call, and a report: what both sides said, and where the time of the answer went.  Knows of the
daemon only what any client sees.
"""

import asyncio
import contextlib
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import soundfile
from numpy.typing import NDArray

from agent.config import Config, Secrets
from agent.supervisor import Supervisor, listen, plan, run_dir
from transports.caller import Caller, CallRefused

Pcm = NDArray[np.int16]

MAX_QUESTION_S = 300.0
READY_TIMEOUT_S = 180.0
GREETING_TIMEOUT_S = 8.0
"""A persona that has said nothing by then waits for the caller."""
ANSWER_TIMEOUT_S = 60.0
QUIET_S = 1.5
"""The agent has finished when nothing was heard from it for this long."""
VOICED_PEAK = 300
RECORDING_HZ = 48_000


class TalkFailed(Exception):
    """The call could not be held; the message says why, for the person at the terminal."""


@dataclass(frozen=True)
class Question:
    """What the caller says: mono int16."""

    pcm: Pcm
    rate_hz: int


@dataclass
class Turn:
    """Where the time of one answer went, as the daemon saw it."""

    number: int
    stages_ms: dict[str, int]
    total_ms: int


@dataclass
class Report:
    """What a call came to; `str()` is what the command prints."""

    recording: Path
    lines: list[tuple[str, str]] = field(default_factory=list)
    """(who, what), in order."""
    turns: list[Turn] = field(default_factory=list)
    voice_to_voice_ms: int | None = None
    """Last voiced sample of the question to first voiced sample of the answer, read off the
    recording."""

    def __str__(self) -> str:
        text = [f"{who + ':':<8}{what}" for who, what in self.lines]
        if self.turns:
            names = list(self.turns[0].stages_ms)
            text += ["", "  ".join(["turn", *(f"{name:>9}" for name in (*names, "total"))])]
            for turn in self.turns:
                times = [*(turn.stages_ms.get(name, 0) for name in names), turn.total_ms]
                text.append("  ".join([f"{turn.number:>4}", *(f"{ms:>9}" for ms in times)]))
            text.append("(ms, as the daemon sees them)")
        if self.voice_to_voice_ms is not None:
            text += ["", f"voice to voice on the recording: {self.voice_to_voice_ms} ms"]
        return "\n".join([*text, f"recording: {self.recording}"])


def read_wav(path: Path) -> Question:
    """Read a sound file of any rate and number of channels; raises `TalkFailed`."""
    if not path.is_file():
        raise TalkFailed(f"{path}: no such file")
    try:
        samples, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
    except soundfile.LibsndfileError:
        raise TalkFailed(f"{path}: is no sound file that can be read; a PCM WAV is") from None
    pcm: Pcm = samples.mean(axis=1).astype(np.int16)  # [N, C] -> [N]
    if len(pcm) == 0 or np.abs(pcm).max() < VOICED_PEAK:
        raise TalkFailed(f"{path}: there is nothing to hear in it")
    if len(pcm) > MAX_QUESTION_S * rate_hz:
        raise TalkFailed(f"{path}: is longer than {MAX_QUESTION_S:.0f} s")
    return Question(pcm, int(rate_hz))


def check_out(path: Path) -> None:
    """Make sure that the recording can be written before anybody speaks; raises `TalkFailed`."""
    try:
        path.open("ab").close()
    except OSError as error:
        raise TalkFailed(f"{path}: cannot be written: {error.strerror}") from None


async def talk(
    url: str, token: str | None, question: Question, out: Path, persona: str | None
) -> Report:
    """Hold a call with a running daemon.  Raises `TalkFailed`."""
    try:
        caller = await Caller.dial(url, persona=persona, token=token)
    except CallRefused as error:
        raise TalkFailed(f"the daemon refused the call: {error.message}") from None
    except (OSError, TimeoutError, ValueError, aiohttp.ClientError) as error:
        reason = str(error) or type(error).__name__
        raise TalkFailed(f"{url}: the call could not be set up: {reason}") from None
    try:
        question_end_s = await _converse(caller, question)
    except ConnectionError as error:
        raise TalkFailed(str(error)) from None
    finally:
        sound = caller.recording(RECORDING_HZ)
        await caller.hang_up()
        await asyncio.to_thread(_write_wav, out, sound)
    report = read_report(out, [message.content for message in caller.messages])
    report.voice_to_voice_ms = voice_to_voice_ms(sound, RECORDING_HZ, question_end_s)
    return report


async def talk_to_own_daemon(
    config: Config, secrets: Secrets, question: Question, out: Path, persona: str | None
) -> Report:
    """Start a daemon for one call, hold it, and stop the daemon.

    Raises `TalkFailed`, or `ConfigError` when the daemon cannot start.
    """
    server = config.server.model_copy(
        update={"host": "127.0.0.1", "port": 0, "workers": 1, "drain_s": 5.0}
    )
    config = config.model_copy(update={"server": server})
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with listen(server.host, server.port) as listener, run_dir() as folder:
        children = plan(config, secrets, listener, folder, log_level="WARNING")
        supervisor = Supervisor(
            children, listener, folder, drain_s=server.drain_s, say=ready.set_result
        )
        daemon = asyncio.create_task(supervisor.run(), name="daemon")
        try:
            either: set[asyncio.Future[Any]] = {daemon, ready}
            await asyncio.wait(either, timeout=READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                raise TalkFailed("the daemon did not become ready; the lines above say why")
            return await talk(ready.result(), secrets.token, question, out, persona)
        finally:
            ready.cancel()
            supervisor.stop()
            await daemon


async def _converse(caller: Caller, question: Question) -> float:
    """Hear the greeting, ask, hear the answer; returns when the question was over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GREETING_TIMEOUT_S):
            await caller.wait_for_voice(0.0)
    await caller.wait_for_quiet(QUIET_S)
    said = await caller.say(question.pcm, question.rate_hz)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await caller.wait_for_voice(said.end_s)
            await caller.wait_for_quiet(QUIET_S)
    except TimeoutError:
        message = f"the agent did not answer, or not finish, within {ANSWER_TIMEOUT_S:.0f} s"
        raise TalkFailed(message) from None
    return said.end_s


def voice_to_voice_ms(sound: Pcm, rate_hz: int, question_end_s: float) -> int | None:
    """Read the response time off a recording [N, 2]; None when the agent is not heard.

    From the caller's last voiced sample, at or before `question_end_s`, to the agent's first
    voiced one after it.
    """
    end = int(question_end_s * rate_hz)
    caller = np.flatnonzero(np.abs(sound[:end, 0]) >= VOICED_PEAK)
    if len(caller) == 0:
        return None
    agent = np.flatnonzero(np.abs(sound[caller[-1] :, 1]) >= VOICED_PEAK)
    return int(agent[0]) * 1000 // rate_hz if len(agent) else None


def read_report(recording: Path, contents: Sequence[dict[str, Any]]) -> Report:
    """Read what a call came to off its data-channel messages."""
    return Report(recording, _transcript(contents), _turns(contents))


def _transcript(contents: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return what both sides said, in order; of the agent what was heard."""
    lines: list[tuple[str, str]] = []
    texts: dict[int, str] = {}
    places: dict[int, int] = {}
    for content in contents:
        data = content.get("data")
        if not isinstance(data, dict):
            continue
        if content.get("type") == "user-transcription" and data.get("final"):
            lines.append(("caller", str(data.get("text", "")).strip()))
        elif data.get("type") == "agent-text":
            utterance = data["utterance"]
            texts[utterance] = texts.get(utterance, "") + data["text"]
            if utterance not in places:
                places[utterance] = len(lines)
                lines.append(("agent", ""))
            lines[places[utterance]] = ("agent", texts[utterance].strip())
        elif data.get("type") == "agent-ended" and data.get("utterance") in places:
            heard = texts[data["utterance"]][: data["spoken_chars"]].strip()
            lines[places[data["utterance"]]] = ("agent", heard)
    return lines


def _turns(contents: Iterable[dict[str, Any]]) -> list[Turn]:
    return [
        Turn(
            data["turn"],
            {name.removesuffix("_ms"): ms for name, ms in data["stages"].items()},
            data["total_ms"],
        )
        for content in contents
        if isinstance(data := content.get("data"), dict) and data.get("type") == "turn-latency"
    ]


def _write_wav(path: Path, sound: Pcm) -> None:
    """Write a stereo recording, int16[N, 2]."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RECORDING_HZ)
        file.writeframes(sound.astype("<i2").tobytes())
