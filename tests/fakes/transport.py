"""A line in virtual time: a scripted microphone, and a loudspeaker that remembers every frame.

Playback is the real `transports.pacing.Playback`, pulled every 20 ms as a track pulls it.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InputTransportMessageFrame,
    OutputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from transports.frames import (
    PlaybackEndedFrame,
    PlaybackStartedFrame,
    SpeechAudioFrame,
    SpeechEndFrame,
)
from transports.pacing import RATE_HZ, Playback, Started

FRAME_S = 0.02
MIC_SAMPLES = 320


@dataclass
class Line:
    """Both directions of the line, by virtual time."""

    heard: list[tuple[float, NDArray[np.int16]]] = field(default_factory=list)
    """(time, 48 kHz frame) as it left for the caller."""
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """(time, message) on the data channel."""
    speech: list[tuple[float, NDArray[np.int16]]] = field(default_factory=list)
    """(start, 16 kHz PCM) the caller will say."""
    sent: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """(time, message) the caller's client will send on the data channel, in order of time."""
    echo_delay_s: float | None = None
    """The caller's microphone hears the agent so much later, 20 dB quieter."""

    def microphone(self, now_s: float) -> NDArray[np.int16]:
        frame = np.zeros(MIC_SAMPLES, dtype=np.int16)
        first = round(now_s * 16_000)
        for start_s, pcm in self.speech:
            offset = first - round(start_s * 16_000)
            part = pcm[max(0, offset) : max(0, offset + MIC_SAMPLES)]
            at = max(0, -offset)
            frame[at : at + len(part)] = part[: MIC_SAMPLES - at]
        if self.echo_delay_s is not None and not frame.any():
            back = round(self.echo_delay_s / FRAME_S)
            if len(self.heard) > back:
                frame = self.heard[-1 - back][1][::3] // 10
        return frame


class _Input(FrameProcessor):
    def __init__(self, line: Line) -> None:
        super().__init__(name="fake-input")
        self._line = line
        self._task: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._task = self.create_task(self._listen(), "microphone")

    async def cleanup(self) -> None:
        await super().cleanup()  # type: ignore[no-untyped-call]
        if self._task:
            await self.cancel_task(self._task)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        began_s, frames = loop.time(), 0
        while True:
            frames += 1
            await asyncio.sleep(began_s + frames * FRAME_S - loop.time())
            while self._line.sent and self._line.sent[0][0] <= loop.time():
                message = self._line.sent.pop(0)[1]
                await self.broadcast_frame(InputTransportMessageFrame, message=message)
            pcm = self._line.microphone(loop.time() - FRAME_S)
            await self.push_frame(InputAudioRawFrame(pcm.tobytes(), 16_000, 1))


class _Output(FrameProcessor):
    def __init__(self, line: Line, playback: Playback) -> None:
        super().__init__(name="fake-output")
        self._line = line
        self._playback = playback
        self._task: asyncio.Task[None] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        loop = asyncio.get_running_loop()
        match frame:
            case StartFrame():
                self._task = self.create_task(self._play(), "loudspeaker")
                await self.push_frame(frame, direction)
            case SpeechAudioFrame():
                assert frame.sample_rate == RATE_HZ
                self._playback.boundaries(frame.utterance, frame.phone_ends_s)
                self._playback.write(frame.utterance, np.frombuffer(frame.audio, dtype=np.int16))
            case SpeechEndFrame():
                self._playback.end(frame.utterance)
            case OutputTransportMessageFrame() | OutputTransportMessageUrgentFrame():
                self._line.messages.append((loop.time(), frame.message))
            case _:
                await self.push_frame(frame, direction)
                if isinstance(frame, EndFrame | CancelFrame):
                    self._playback.close()

    async def cleanup(self) -> None:
        await super().cleanup()  # type: ignore[no-untyped-call]
        if self._task:
            await self.cancel_task(self._task)

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        began_s, frames = loop.time(), 0
        while True:
            frames += 1
            self._line.heard.append((loop.time(), self._playback.next_frame()))
            for event in self._playback.take_events():
                up: Frame
                if isinstance(event, Started):
                    up = PlaybackStartedFrame(utterance=event.utterance)
                else:
                    sent_s = event.sent_samples / RATE_HZ
                    up = PlaybackEndedFrame(
                        utterance=event.utterance, sent_s=sent_s, stopped=event.stopped
                    )
                await self.push_frame(up, FrameDirection.UPSTREAM)
            await asyncio.sleep(began_s + frames * FRAME_S - loop.time())


class FakeTransport:
    """One scripted caller's line."""

    def __init__(self, line: Line, *, fade_ms: int = 20) -> None:
        self.line = line
        self._playback = Playback(fade_ms=fade_ms)
        self._input = _Input(line)
        self._output = _Output(line, self._playback)
        self._closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def input(self) -> FrameProcessor:
        return self._input

    @property
    def output(self) -> FrameProcessor:
        return self._output

    @property
    def playback(self) -> Playback:
        return self._playback

    def hang_up(self) -> None:
        """The caller puts the phone down."""
        if not self._closed.done():
            self._closed.set_result("hung up")

    async def wait_closed(self) -> str:
        return await asyncio.shield(self._closed)

    async def close(self, reason: str) -> None:
        if not self._closed.done():
            self._closed.set_result(reason)
        self._playback.close()
