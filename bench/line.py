"""What a bad line costs in words: Opus, lost and late packets, and our jitter buffer.

    python -m bench line [--quick] [--seeds 2] [--model base] [--save]

The clean clips of `bench.stt_data` (human and synthetic) are cut into Opus packets of 20 ms, which
are lost or delayed as `LINES` says, and go through `transports.clocked_input` as in a call, on a
simulated clock.  Reported: word error rate for each line, and the share of the sound that was made
up (concealment, and the silence after the last packet).
"""

import argparse
import asyncio
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.config import SttConfig, WebRtcConfig, cache_dir
from agent.stt.whisper import WhisperStt
from bench import report, stt, stt_data
from transports.clocked_input import LINE_HZ, ClockedInput
from transports.codecs import OpusDecoder, OpusEncoder, StreamResampler
from transports.impairment import Impairment
from transports.jitter_buffer import Packet

FRAME_SAMPLES = 960  # 20 ms at 48 kHz
FRAME_S = 0.02
TAIL_S = 0.3


LINES = {"clean": (0.0, 0.0), "loss1_jitter40": (0.01, 40.0), "loss5_jitter40": (0.05, 40.0)}
"""Share of packets lost, and the most milliseconds that the others are late."""


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
    return report.result(
        "line", settings=vars(args) | {"lines": LINES}, metrics=metrics, targets={}
    )


async def _bench(clips: list[stt_data.Clip], args: argparse.Namespace) -> dict[str, Any]:
    recogniser = WhisperStt(SttConfig(model=args.model), cache_dir=cache_dir(os.environ))
    await recogniser.start()
    metrics: dict[str, Any] = {"clips": len(clips)}
    for name, (loss, jitter_ms) in LINES.items():
        wrong = words = made_up = samples = 0
        for seed in range(args.seeds if loss else 1):
            for clip in clips:
                fate_seed = zlib.crc32(f"{seed} {clip.name}".encode())
                arrived = through(Impairment(loss, jitter_ms, fate_seed), clip.audio)
                heard = await recogniser.transcribe(arrived.audio, language="en", final=True)
                clip_wrong, clip_words = stt.errors(clip.text, heard.text)
                wrong, words = wrong + clip_wrong, words + clip_words
                made_up, samples = made_up + arrived.made_up, samples + arrived.samples
        metrics[f"wer_pct_{name}"] = round(100 * wrong / words, 2)
        metrics[f"made_up_pct_{name}"] = round(100 * made_up / samples, 2)
    await recogniser.close()
    return metrics


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came out of the line."""

    audio: NDArray[np.float32]
    """Mono 16 kHz [N]."""
    made_up: int
    """Samples at 48 kHz that no packet brought."""
    samples: int
    """All samples at 48 kHz."""


def through(line: Impairment, audio: NDArray[np.float32]) -> Arrived:
    """Send mono 16 kHz audio [N] over the line, with the time simulated."""
    arrivals: list[tuple[float, int, Packet | None]] = [
        ((number + 1) * FRAME_S + delay_s, number, packet)
        for number, (packet, delay_s) in enumerate(zip(_packets(audio), line.fates(), strict=False))
        if delay_s is not None
    ]
    last_tick = round((len(audio) / stt_data.RATE_HZ + TAIL_S) / FRAME_S)
    arrivals += [(tick * FRAME_S, -1, None) for tick in range(1, last_tick + 1)]
    voice = ClockedInput(OpusDecoder().decode, reorder_packets=WebRtcConfig().reorder_packets)
    voice.start(0.0)
    chunks: list[bytes] = []
    for now_s, _, packet in sorted(arrivals, key=lambda arrival: arrival[:2]):
        chunks += voice.tick(now_s) if packet is None else voice.packet(packet, now_s)
    counts = voice.concealer.counts
    pcm = np.frombuffer(b"".join(chunks), np.int16).astype(np.float32) / np.float32(32768)
    return Arrived(pcm, counts.filled, len(pcm) * LINE_HZ // stt_data.RATE_HZ)


def _packets(audio: NDArray[np.float32]) -> list[Packet]:
    pcm = np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16)
    resampler = StreamResampler(stt_data.RATE_HZ, LINE_HZ)
    wide = np.concatenate([resampler.feed(pcm), resampler.flush()])
    wide = np.pad(wide, (0, -len(wide) % FRAME_SAMPLES))
    encoder = OpusEncoder()
    return [
        Packet(number % 2**16, number * FRAME_SAMPLES, 1, encoder.encode(frame))
        for number, frame in enumerate(wide.reshape(-1, FRAME_SAMPLES))
    ]
