"""A real call inside one process: a caller, a peer, and a pipeline that writes down all it sees."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import numpy as np
from pipecat.frames.frames import Frame, InputAudioRawFrame, InputTransportMessageFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from transports.caller import Caller, Impairment
from transports.frames import (
    PlaybackEndedFrame,
    PlaybackStartedFrame,
    SpeechAudioFrame,
    SpeechEndFrame,
)
from transports.webrtc import WebRtcPeer, WebRtcSettings

SETTINGS = WebRtcSettings(
    ice_servers=(),
    gather_timeout_ms=500,
    connect_timeout_s=20.0,
    silence_timeout_s=20.0,
    look_ahead_ms=100,
    fade_ms=20,
    reorder_packets=2,
)


def tone(hz: float, rate_hz: int, seconds: float, amplitude: float = 8000) -> np.ndarray:
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    return np.round(amplitude * np.sin(2 * np.pi * hz * t)).astype(np.int16)


def level(pcm: np.ndarray, hz: float, rate_hz: int) -> float:
    """Amplitude of one frequency."""
    t = np.arange(len(pcm)) / rate_hz
    return float(2 * abs(np.mean(pcm * np.exp(-2j * np.pi * hz * t))))


class Witness(FrameProcessor):
    """Stands where the agent stands."""

    def __init__(self) -> None:
        super().__init__(name="witness")
        self.chunks: list[bytes] = []
        self.messages: list[dict] = []
        self.playback: list[Frame] = []
        self.on_chunk: Callable[[], None] = lambda: None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            assert (frame.sample_rate, frame.num_channels) == (16_000, 1)
            self.chunks.append(frame.audio)
            self.on_chunk()
        elif isinstance(frame, InputTransportMessageFrame):
            self.messages.append(frame.message)
        elif isinstance(frame, PlaybackStartedFrame | PlaybackEndedFrame):
            assert direction is FrameDirection.UPSTREAM
            self.playback.append(frame)
        await self.push_frame(frame, direction)

    @property
    def heard(self) -> np.ndarray:
        return np.frombuffer(b"".join(self.chunks), np.int16)


@dataclass
class Call:
    """Both ends."""

    caller: Caller
    peer: WebRtcPeer
    worker: PipelineWorker
    witness: Witness
    running: asyncio.Task[None] = field(repr=False)

    async def agent_says(self, utterance: int, pcm: np.ndarray, rate_hz: int = 24_000) -> None:
        for part in np.array_split(pcm, max(1, len(pcm) // (rate_hz // 10))):
            await self.worker.queue_frame(
                SpeechAudioFrame(part.tobytes(), rate_hz, 1, utterance=utterance)
            )
        await self.worker.queue_frame(SpeechEndFrame(utterance=utterance))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a fact; the test's own time limit bounds it."""
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def end_pipeline(self) -> None:
        await self.worker.stop_when_done()
        await self.running


async def start_pipeline(peer: WebRtcPeer) -> tuple[PipelineWorker, Witness, asyncio.Task[None]]:
    witness = Witness()
    worker = PipelineWorker(
        Pipeline([peer.input, witness, peer.output]),
        params=PipelineParams(),
        enable_rtvi=False,
        cancel_on_idle_timeout=False,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    return worker, witness, asyncio.create_task(runner.run(auto_end=True), name="pipeline")


async def open_call(impairment: Impairment | None = None, **settings: object) -> Call:
    peers: list[WebRtcPeer] = []

    async def signal(offer: dict) -> dict:
        peer = await WebRtcPeer.accept(
            offer["sdp"], offer["type"], replace(SETTINGS, **settings), "w0-"
        )
        peers.append(peer)
        return peer.answer

    # A deep playout buffer: what these tests read off the recording must not depend on how busy
    # the machine is.
    caller = await Caller.connect(signal, impairment=impairment, playout_ms=400)
    worker, witness, running = await start_pipeline(peers[0])
    return Call(caller, peers[0], worker, witness, running)


def run_call(scenario: Callable[[Call], Awaitable[None]], **options: object) -> None:
    """Run a scenario on an open call, then end the call and see that nothing is left of it."""

    async def whole() -> None:
        call = await open_call(**options)
        try:
            await scenario(call)
        finally:
            await call.end_pipeline()
            await call.peer.close("test over")
            await call.caller.hang_up()
        await nothing_left()

    run(whole())


def run(scenario: Awaitable[None], limit_s: float = 60.0) -> None:
    """Run a scenario; the limit only ends a test that would hang."""

    async def limited() -> None:
        async with asyncio.timeout(limit_s):
            await scenario

    asyncio.run(limited())


async def nothing_left() -> None:
    """Assert that every task but the test's own has ended, and every decoder thread."""
    await asyncio.sleep(0.1)  # Sockets report their close in the next turns of the loop.
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [t.name for t in threading.enumerate() if t.name.endswith("-decoder")] == []
