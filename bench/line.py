"""What a bad line costs in words: Opus, lost and late packets, and our jitter buffer.

    python -m bench line [--quick] [--seeds 2] [--model base] [--save]

The clean clips of `bench.stt_data` (human and synthetic) are cut into Opus packets of 20 ms, which
are lost or delayed as `settings` say, and go through `transports.clocked_input` as in a call, on a
simulated clock.  Reported: word error rate for each line, and the share of the sound that was made
up (concealment, and the silence after the last packet).
"""

import argparse
import asyncio
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray

from agent.config import SttConfig, cache_dir
from agent.stt.whisper import WhisperStt
from bench import report, stt, stt_data
from transports.clocked_input import ClockedInput
from transports.codecs import OpusDecoder, OpusEncoder, StreamResampler
from transports.jitter_buffer import Packet

FRAME_SAMPLES = 960  # 20 ms at 48 kHz
FRAME_S = 0.02
TAIL_S = 0.3


@dataclass(frozen=True, slots=True)
class Line:
    """How packets fare: lost with a probability, else delayed by up to so many milliseconds."""

    loss: float
    jitter_ms: float


LINES = {
    "clean": Line(0.0, 0.0),
    "loss1_jitter40": Line(0.01, 40.0),
    "loss5_jitter40": Line(0.05, 40.0),
}
REORDER_PACKETS = 2  # the default of [webrtc] reorder_packets


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench; see `bench.__main__`."""
    parser = argparse.ArgumentParser(prog="python -m bench line", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="runs of each impaired line")
    parser.add_argument("--model", default="base")
    parser.add_argument("--quick", action="store_true", help="human clips and one seed only")
    args = parser.parse_args(argv)
    clips = [clip for clip in stt_data.speech() if clip.condition == "clean"]
    if args.quick:
        clips, args.seeds = [clip for clip in clips if clip.speaker == "human"], 1
    metrics = asyncio.run(_bench(clips, args))
    report.table([*metrics.items()])
    return report.result("line", settings=vars(args), metrics=metrics, targets={})


async def _bench(clips: list[stt_data.Clip], args: argparse.Namespace) -> dict[str, Any]:
    recogniser = WhisperStt(SttConfig(model=args.model), cache_dir=cache_dir(os.environ))
    await recogniser.start()
    metrics: dict[str, Any] = {"clips": len(clips)}
    for name, line in LINES.items():
        said, heard, made_up, total = [], [], 0, 0
        for seed in range(args.seeds if line.loss else 1):
            for clip in clips:
                audio, filled = through(line, clip.audio, f"{seed} {clip.name}")
                transcript = await recogniser.transcribe(audio, language="en", final=True)
                said.append(" ".join(stt.words(clip.text)))
                heard.append(" ".join(stt.words(transcript.text)))
                made_up, total = made_up + filled, total + len(audio) * 3
        metrics[f"wer_pct_{name}"] = round(100 * jiwer.wer(said, heard), 2)
        metrics[f"made_up_pct_{name}"] = round(100 * made_up / total, 2)
    await recogniser.close()
    return metrics


def through(line: Line, audio: NDArray[np.float32], seed: str) -> tuple[NDArray[np.float32], int]:
    """Send mono 16 kHz audio [N] over the line; returns what arrives, and the samples made up."""
    chance = random.Random(seed)
    arrivals = []
    for number, packet in enumerate(_packets(audio)):
        lost = chance.random() < line.loss
        delay_s = chance.uniform(0.0, line.jitter_ms) / 1000
        if not lost:
            arrivals.append(((number + 1) * FRAME_S + delay_s, number, packet))
    voice = ClockedInput(OpusDecoder().decode, reorder_packets=REORDER_PACKETS)
    voice.start(0.0)
    chunks: list[bytes] = []
    ticks = round((len(audio) / stt_data.RATE_HZ + TAIL_S) / FRAME_S)
    events = sorted([*arrivals, *((tick * FRAME_S, -1, None) for tick in range(1, ticks + 1))],
                    key=lambda event: event[:2])  # fmt: skip
    for now_s, _, event in events:
        chunks += voice.tick(now_s) if event is None else voice.packet(event, now_s)
    pcm = np.frombuffer(b"".join(chunks), np.int16)
    return pcm.astype(np.float32) / np.float32(32768), voice.concealer.counts.filled


def _packets(audio: NDArray[np.float32]) -> list[Packet]:
    pcm = np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16)
    resampler = StreamResampler(stt_data.RATE_HZ, 48_000)
    wide = np.concatenate([resampler.feed(pcm), resampler.flush()])
    wide = np.pad(wide, (0, -len(wide) % FRAME_SAMPLES))
    encoder = OpusEncoder()
    return [
        Packet(number % 2**16, number * FRAME_SAMPLES, 1, encoder.encode(frame))
        for number, frame in enumerate(wide.reshape(-1, FRAME_SAMPLES))
    ]
