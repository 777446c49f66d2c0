"""Real calls against a real daemon, timed on the caller's own recording.

Each call goes over WebRTC on loopback: the agent greets at length and is interrupted; then the
caller asks questions and waits for each answer; every third answer is interrupted as well; then
come questions with pauses in them (`bench.hesitant`).  Questions are synthesised once with the
daemon's own light voice.  Reported: voice-to-voice, false cut-offs, yield, what of an interrupted
reply the context believes was heard against what Whisper (base, full window) finds in the
recording, answers begun early and thrown away, each stage's share, CPU and memory.

With `--simulate stt=50,llm=100,tts=40` no daemon runs: `bench.simulated_calls` holds the calls in
virtual time, with the real ears and services that take so many milliseconds.
"""

import argparse
import asyncio
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from numpy.typing import NDArray

from agent.config import SttConfig, cache_dir
from agent.stt.whisper import WhisperStt
from bench import calls, hesitant, report, simulated_calls
from bench.hesitant import Hesitant

QUESTIONS = (
    "What is the capital of France?",
    "Can you tell me something about the weather?",
    "How are you doing today?",
    "What should I cook for dinner tonight?",
    "Could you give me a tip for better sleep?",
    "Who are you and what can you do?",
)
INTERRUPTION = "Sorry, let me stop you right there, I have a question."
GREETING = (
    "Hello and welcome, this is a rather long greeting that goes on for quite a while, so that "
    "somebody can interrupt it. First I would like to tell you about our opening hours. We are "
    "open on every day of the week, from early in the morning until late in the evening."
)
PERSONA = f"""
name = "Bench"
language = "en"
voice = "heart"
prompt = "You are a friendly assistant on the phone. Answer in one or two short sentences."
greeting = "{GREETING}"
"""
PLAYOUT_MS = 60
"""Of the caller's own jitter buffer; counted in every time but `sent_after_interruption_ms`."""
TARGETS = {
    profile: {
        "v2v_ms_p50": 700,
        "false_cutoff_percent": 5,
        "yield_ms_p95": 250,
        "heard_error_words_max": 1,
    }
    for profile in ("base", "fast")
}


@dataclass(frozen=True)
class CutOff:
    """An interrupted utterance."""

    sounded: NDArray[np.int16]
    """What the caller's loudspeaker played of it, 16 kHz."""
    meant: str
    """What the agent was going to say."""
    believed: str
    """What the context holds as heard."""


@dataclass
class Findings:
    """What all calls together showed."""

    v2v_ms: list[float] = field(default_factory=list)
    v2v_hesitant_ms: list[float] = field(default_factory=list)
    hesitant_turns: int = 0
    holds: int = 0
    """Pauses inside of those."""
    false_cutoffs: int = 0
    """Of those, turns that the agent spoke into."""
    turns_ended_early: int = 0
    """Of those, turns taken to be over in a pause, whether or not anything was heard of it."""
    yield_ms: list[float] = field(default_factory=list)
    sent_after_notice_ms: list[float] = field(default_factory=list)
    cut_offs: list["CutOff"] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    unanswered: int = 0
    word_errors: int = 0
    words_said: int = 0
    call_s: float = 0.0


def main(argv: list[str]) -> dict[str, Any]:
    """Run the bench; see `bench.__main__`."""
    parser = argparse.ArgumentParser(prog="python -m bench conversation", description=__doc__)
    parser.add_argument("--calls", type=int, default=12)
    parser.add_argument("--questions", type=int, default=4, help="of each call")
    parser.add_argument("--hesitant", type=int, default=3, help="questions with pauses, each call")
    parser.add_argument(
        "--simulate",
        type=simulated_calls.latencies,
        metavar="stt=MS,llm=MS,tts=MS",
        help="hold the calls in virtual time with services that take so long",
    )
    parser.add_argument("--concurrent", type=int, default=1, help="calls at once")
    parser.add_argument(
        "--loss", type=float, default=0.0, help="share of packets lost on the way in"
    )
    parser.add_argument("--jitter-ms", type=int, default=0, help="random delay on the way in")
    parser.add_argument("--profile", choices=["base", "fast"], default="base")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="TABLE.KEY=VALUE"
    )
    parser.add_argument("--logs", default=None, metavar="FOLDER", help="keep the calls' logs there")
    parser.add_argument("--quick", action="store_true", help="one call with two questions")
    args = parser.parse_args(argv)
    if args.quick:
        args.calls, args.questions, args.hesitant = 1, 2, 1
    spoken = _speech((*QUESTIONS, *map(hesitant.whole, hesitant.QUESTIONS), INTERRUPTION))
    if args.simulate:
        return simulated_calls.bench(spoken, QUESTIONS, args.simulate, count=args.calls)
    return asyncio.run(_bench(args, spoken))


async def _bench(args: argparse.Namespace, spoken: dict[str, NDArray[np.int16]]) -> dict[str, Any]:
    found = Findings()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bench.toml").write_text(PERSONA, encoding="utf-8")
        settings = [
            f"calls.personas_dir={folder}",
            "calls.default_persona=bench",
            f"calls.log_dir={args.logs or folder}",
            "turns.idle_prompt_s=0",
            # The model may answer two callers in the same words: they are spoken twice.
            "tts.service.cache.memory_mb=0",
            # A line is free again some 70 ms after its caller hung up.
            f"server.max_calls={args.concurrent + 1}",
            *(["stt.model=tiny.en"] if args.profile == "fast" else []),
            *args.overrides,
        ]
        options = [word for setting in settings for word in ("--set", setting)]
        async with calls.daemon(*options) as daemon:
            await _call(daemon.url, spoken, 1, 0, Findings(), args)  # warm-up, not counted
            before = await _counters(daemon.url)
            cpu_s, rss_mb = daemon.cpu_s(), daemon.rss_mb("agent.worker")
            gate = asyncio.Semaphore(args.concurrent)

            async def one(number: int) -> None:
                async with gate:
                    await _call(daemon.url, spoken, args.questions, number, found, args)

            async with asyncio.TaskGroup() as group:
                for number in range(args.calls):
                    group.create_task(one(number))
            await asyncio.sleep(3.0)  # memory is given back a moment after a call
            cpu_share = (daemon.cpu_s() - cpu_s) / found.call_s
            growth_mb = daemon.rss_mb("agent.worker") - rss_mb
            total_mb = daemon.rss_mb()
            after = await _counters(daemon.url)
    errors = await _heard_errors(found)
    metrics = _metrics(found, errors, cpu_share, growth_mb, total_mb, args.calls)
    metrics |= drafts({name: after[name] - before.get(name, 0.0) for name in after})
    report.table([*metrics.items()])
    return report.result(
        "conversation",
        threads=2,
        settings={
            name: value for name, value in vars(args).items() if name not in ("logs", "simulate")
        }
        | {"playout_ms": PLAYOUT_MS, "stt": args.profile},
        metrics=metrics,
        targets=TARGETS[args.profile],
    )


def _metrics(
    found: Findings,
    errors: list[int],
    cpu_share: float,
    growth_mb: float,
    total_mb: float,
    count: int,
) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "answers": len(found.v2v_ms),
        "interruptions": len(found.yield_ms),
        "unanswered": found.unanswered,
        "caller_wer_percent": round(100 * found.word_errors / max(1, found.words_said), 1),
        **report.percentiles("v2v_ms", found.v2v_ms),
        "hesitant_turns": found.hesitant_turns,
        **report.percentiles("v2v_hesitant_ms", found.v2v_hesitant_ms),
        "holds": found.holds,
        "false_cutoff_percent": _percent(found.false_cutoffs, found.holds),
        "ended_early_percent": _percent(found.turns_ended_early, found.holds),
        **report.percentiles("yield_ms", found.yield_ms),
        **report.percentiles("sent_after_interruption_ms", found.sent_after_notice_ms),
        "heard_error_words_max": max(errors, default=None),
        "heard_error_words_mean": round(float(np.mean(errors)), 2) if errors else None,
        "cpu_core_share_per_call": round(cpu_share, 3),
        "rss_growth_mb": round(growth_mb, 1),
        "rss_growth_mb_20_calls": round(growth_mb * 20 / count, 1) if count >= 10 else None,
        "rss_mb_all_processes": round(total_mb),
    }
    for stage, values in found.stages.items():
        metrics[f"{stage}_p50"] = round(float(np.median(values)))
    return metrics


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


async def _counters(url: str) -> dict[str, float]:
    """The daemon's counters of answers begun early, summed over their labels."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        lines = (await response.text()).splitlines()
    totals: dict[str, float] = {}
    for line in lines:
        if line.startswith("parley_drafts_"):
            name = line.split("{")[0]
            totals[name] = totals.get(name, 0.0) + float(line.rsplit(" ", 1)[1])
    return totals


def drafts(counted: dict[str, float]) -> dict[str, float | None]:
    """What was begun early, and how much of it nobody needed."""
    begun = counted.get("parley_drafts_begun_total", 0.0)
    dropped = counted.get("parley_drafts_dropped_total", 0.0)
    return {
        "drafts_begun": begun,
        "wasted_work_share": round(dropped / begun, 3) if begun else None,
        "wasted_tokens": counted.get("parley_drafts_wasted_tokens_total", 0.0),
        "wasted_audio_s": round(counted.get("parley_drafts_wasted_audio_seconds_total", 0.0), 1),
    }


def _speech(texts: tuple[str, ...]) -> dict[str, NDArray[np.int16]]:
    """The texts as 16 kHz speech."""
    import soxr
    from hibari import Hibari

    voice = Hibari()
    spoken = {}
    for text in texts:
        audio = soxr.resample(np.asarray(voice(text), np.float32), 24_000, calls.RATE_HZ)
        loud = audio * (0.5 / max(1e-6, float(np.abs(audio).max())))
        spoken[text] = (loud * 32767).astype(np.int16)
    return spoken


async def _call(
    url: str,
    spoken: dict[str, NDArray[np.int16]],
    questions: int,
    number: int,
    found: Findings,
    args: argparse.Namespace,
) -> None:
    from transports.caller import Caller, Impairment

    bad_line = Impairment(loss=args.loss, jitter_ms=args.jitter_ms, seed=number)
    impairment = bad_line if args.loss or args.jitter_ms else None
    caller = await Caller.dial(url, impairment=impairment, playout_ms=PLAYOUT_MS)
    asked: list[tuple[float, float, str]] = []
    hesitated: list[tuple[float, float, int]] = []
    cuts: list[tuple[float, float]] = []
    try:
        await caller.wait_for_voice(0.0)
        await asyncio.sleep(1.5 + 0.37 * (number % 7))
        cuts.append(await _interrupt(caller, spoken[INTERRUPTION]))
        for index in range(questions):
            text = QUESTIONS[(number + index) % len(QUESTIONS)]
            speech = await caller.say(spoken[text])
            try:
                async with asyncio.timeout(15):
                    await caller.wait_for_voice(speech.end_s + 0.1)
            except TimeoutError:
                found.unanswered += 1
                continue
            asked.append((speech.start_s, speech.end_s, text))
            if index % 3 == 2:
                await asyncio.sleep(0.6)
                cuts.append(await _interrupt(caller, spoken[INTERRUPTION]))
            else:
                await caller.wait_for_quiet(1.2)
        for index in range(args.hesitant):
            question = _hesitant(spoken, number * args.hesitant + index)
            speech = await caller.say(question.pcm)
            await _answered(caller, speech.end_s)
            hesitated.append((speech.start_s, speech.end_s, len(question.pauses_s)))
        recording = caller.recording(calls.RATE_HZ)
        found.call_s += len(recording) / calls.RATE_HZ
        _read_off(recording, asked, cuts, list(caller.messages), found)
        _read_off_hesitant(recording, hesitated, list(caller.messages), found)
    finally:
        await caller.hang_up()


async def _interrupt(caller: Any, pcm: NDArray[np.int16]) -> tuple[float, float]:
    """Cut in, and wait out the answer to the interruption; returns when it was said."""
    speech = await caller.say(pcm)
    await _answered(caller, speech.end_s)
    return speech.start_s, speech.end_s


async def _answered(caller: Any, end_s: float) -> None:
    """Wait out the answer to what was said until `end_s`."""
    try:
        async with asyncio.timeout(15):
            await caller.wait_for_voice(end_s + 0.1)
    except TimeoutError:
        pass
    await caller.wait_for_quiet(1.2)


def _hesitant(spoken: dict[str, NDArray[np.int16]], number: int) -> Hesitant:
    parts = hesitant.QUESTIONS[number % len(hesitant.QUESTIONS)]
    first = number % len(hesitant.PAUSES_S)
    lengths_s = hesitant.PAUSES_S[first:] + hesitant.PAUSES_S[:first]
    return hesitant.hesitate(parts, spoken[hesitant.whole(parts)], lengths_s)


def _read_off(
    recording: NDArray[np.int16],
    asked: list[tuple[float, float, str]],
    cuts: list[tuple[float, float]],
    messages: list[Any],
    found: Findings,
) -> None:
    left, right = recording[:, 0], recording[:, 1]
    length_s = len(recording) / calls.RATE_HZ
    for start_s, end_s, text in asked:
        mouth_shut_s = calls.last_voice_s(left, start_s, end_s)
        answer_s = calls.first_voice_s(right, end_s, length_s)
        if mouth_shut_s and answer_s:
            found.v2v_ms.append((answer_s - mouth_shut_s) * 1000)
        heard, said = calls.words(_transcript(messages, start_s, end_s + 4)), calls.words(text)
        found.word_errors += calls.word_distance(heard, said)
        found.words_said += len(said)
    for start_s, end_s in cuts:
        _read_off_cut(left, right, start_s, end_s, messages, found)
    for message in messages:
        data = _note(message, "turn-latency")
        for stage, value in (data or {}).get("stages", {}).items():
            found.stages.setdefault(f"stage_{stage}", []).append(value)


def _read_off_hesitant(
    recording: NDArray[np.int16],
    turns: list[tuple[float, float, int]],
    messages: list[Any],
    found: Findings,
) -> None:
    left, right = recording[:, 0], recording[:, 1]
    length_s = len(recording) / calls.RATE_HZ
    for start_s, end_s, holds in turns:
        mouth_shut_s = calls.last_voice_s(left, start_s, end_s) or end_s
        found.hesitant_turns += 1
        found.holds += holds
        found.false_cutoffs += calls.first_voice_s(right, start_s, mouth_shut_s) is not None
        found.turns_ended_early += bool(_transcript(messages, start_s, mouth_shut_s))
        answer_s = calls.first_voice_s(right, mouth_shut_s, length_s)
        if answer_s:
            found.v2v_hesitant_ms.append((answer_s - mouth_shut_s) * 1000)


def _read_off_cut(
    left: NDArray[np.int16],
    right: NDArray[np.int16],
    start_s: float,
    end_s: float,
    messages: list[Any],
    found: Findings,
) -> None:
    """Yield: from the barge-in's first sound to the old reply's last, up to the next reply."""
    began_s = calls.first_voice_s(left, start_s, end_s)
    notices = [
        (m.at_s, data)
        for m in messages
        if (data := _note(m, "agent-ended")) and data["interrupted"] and start_s < m.at_s < end_s
    ]
    if began_s is None or not notices:
        return
    notice_s, data = notices[0]
    silent_s = calls.last_voice_s(right, began_s, end_s) or began_s
    found.yield_ms.append(max(0.0, (silent_s - began_s) * 1000))
    sent_until_s = silent_s - PLAYOUT_MS / 1000
    found.sent_after_notice_ms.append(max(0.0, (sent_until_s - notice_s) * 1000))
    said = "".join(
        text["text"]
        for m in messages
        if (text := _note(m, "agent-text")) and text["utterance"] == data["utterance"]
    )
    reply_from_s = _reply_began_s(messages, data["utterance"])
    old = right[int(reply_from_s * calls.RATE_HZ) : int(silent_s * calls.RATE_HZ)]
    found.cut_offs.append(CutOff(old, said, said[: data["spoken_chars"]]))


def _reply_began_s(messages: list[Any], utterance: int) -> float:
    return min(
        float(m.at_s)
        for m in messages
        if (text := _note(m, "agent-text")) and text["utterance"] == utterance
    )


def _note(message: Any, kind: str) -> dict[str, Any] | None:
    content = message.content
    if content.get("type") != "server-message" or content["data"].get("type") != kind:
        return None
    return dict(content["data"])


def _transcript(messages: list[Any], from_s: float, to_s: float) -> str:
    texts = [
        m.content["data"]["text"]
        for m in messages
        if m.content.get("type") == "user-transcription"
        and m.content["data"].get("final")
        and from_s < m.at_s < to_s
    ]
    return " ".join(texts)


async def _heard_errors(found: Findings) -> list[int]:
    """Words by which what the context believes was heard differs from what the recording holds.

    The recording's transcript is placed against the best-fitting prefix of what the agent meant
    to say, so that a misread word does not count, only where the reply broke off.
    """
    stt = WhisperStt(SttConfig(window="full"), cache_dir=cache_dir(os.environ))
    await stt.start()
    errors = []
    for cut in found.cut_offs:
        audio = cut.sounded.astype(np.float32) / np.float32(32768)
        transcript = await stt.transcribe(audio, language="en", final=True)
        heard, meant = calls.words(transcript.text), calls.words(cut.meant)
        sounded = min(
            range(len(meant) + 1), key=lambda n: (calls.word_distance(heard, meant[:n]), -n)
        )
        errors.append(abs(sounded - len(calls.words(cut.believed))))
    await stt.close()
    return errors
