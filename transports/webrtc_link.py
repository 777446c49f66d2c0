"""One RTCPeerConnection: audio both ways, a data channel, and its states.

In: an offer, candidates, frames from a `Playback`.  Out: an answer, RTP packets, messages and
state changes, as calls of a `LinkListener`.  Knows nothing about pipecat, timeouts or the caller's
clock.  Called from the event loop's thread.
"""

import asyncio
from fractions import Fraction
from typing import Any, Protocol

import av
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.stats import RTCRemoteInboundRtpStreamStats
from loguru import logger

from transports import aiortc_compat
from transports.codecs import OPUS_FRAME_SAMPLES, OPUS_HZ, OpusEncoder
from transports.data_channel import Outbox
from transports.jitter_buffer import Packet
from transports.offer import Offer, OfferRefused
from transports.pacing import Playback

FRAME_S = OPUS_FRAME_SAMPLES / OPUS_HZ
CLOSE_TIMEOUT_S = 5.0


class LinkListener(Protocol):
    """What a link tells its owner.  Calls must not block."""

    def on_packet(self, packet: Packet) -> None:
        """An RTP packet of the caller's voice arrived."""

    def on_message(self, message: str | bytes) -> None:
        """The caller sent a data-channel message."""

    def on_frame_sent(self) -> None:
        """A frame was taken from the playback."""

    def on_state(self, state: str) -> None:
        """The connection is now "connecting", "connected", "failed" or "closed"."""


class PlaybackTrack(MediaStreamTrack):
    """Sends one Opus packet every 20 ms of loop time, silence included.

    After a stall it sends what was due at once, up to `catch_up_s`; the time beyond that is
    skipped, and the RTP timestamp with it, so that the stall adds no lasting delay.
    """

    kind = "audio"

    def __init__(self, playback: Playback, listener: LinkListener, *, catch_up_s: float) -> None:
        super().__init__()
        self._playback = playback
        self._listener = listener
        self._catch_up_s = catch_up_s
        self._encoder = OpusEncoder()
        self._started_s: float | None = None
        self._frames = 0  # 20 ms steps since the start, skipped ones included.

    async def recv(self) -> Any:
        """Return the next `av.Packet` when it is due.  Cancelling loses nothing."""
        if self.readyState != "live":
            raise MediaStreamError
        now_s = asyncio.get_running_loop().time()
        if self._started_s is None:
            self._started_s = now_s
        wait_s = self._started_s + self._frames * FRAME_S - now_s
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        elif -wait_s > self._catch_up_s:
            self._frames += int((-wait_s - self._catch_up_s) / FRAME_S)
        frame = self._playback.next_frame()
        packet = av.Packet(self._encoder.encode(frame))
        packet.pts = self._frames * OPUS_FRAME_SAMPLES
        packet.time_base = Fraction(1, OPUS_HZ)
        self._frames += 1
        self._listener.on_frame_sent()
        return packet


class WebRtcLink:
    """One peer connection, from its first offer to its close."""

    def __init__(
        self,
        playback: Playback,
        outbox: Outbox,
        listener: LinkListener,
        *,
        ice_servers: tuple[RTCIceServer, ...],
        gather_timeout_s: float,
        catch_up_s: float,
    ) -> None:
        aiortc_compat.require_supported_aiortc()
        self._outbox = outbox
        self._listener: LinkListener | None = listener
        self._gather_timeout_s = gather_timeout_s
        self._candidate_tasks: set[asyncio.Task[None]] = set()
        # All lines of the offer share one transport, as every browser does it.
        self._pc = RTCPeerConnection(
            RTCConfiguration(iceServers=list(ice_servers), bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        track = PlaybackTrack(playback, listener, catch_up_s=catch_up_s)
        self._audio = self._pc.addTransceiver(track, "sendrecv")
        capabilities = RTCRtpReceiver.getCapabilities("audio")
        assert capabilities is not None
        self._audio.setCodecPreferences(
            [codec for codec in capabilities.codecs if codec.mimeType == "audio/opus"]
        )
        aiortc_compat.tap_packets(self._audio.receiver, listener.on_packet)
        aiortc_compat.survive_malformed_packets(self._audio.receiver)
        self._pc.on("connectionstatechange", self._state_changed)
        self._pc.on("datachannel", self._channel_opened)

    async def answer(self, offer: Offer) -> RTCSessionDescription:
        """Answer an offer, the first or a later one.

        Raises `OfferRefused`; the link is then to be closed.
        """
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            for transceiver in self._pc.getTransceivers():
                if transceiver is not self._audio:  # Video would be decoded for nobody.
                    transceiver.direction = "inactive"
            aiortc_compat.bound_gathering(self._pc, self._gather_timeout_s)
            answer = await self._pc.createAnswer()
            assert answer is not None
            await self._pc.setLocalDescription(answer)
        except Exception as error:  # aiortc checks little: a strange offer fails anywhere in it.
            raise OfferRefused("unsupported", f"the offer cannot be answered: {error!r}") from None
        self.add_candidates(list(offer.candidates), offer.candidates_complete)
        return self._pc.localDescription

    def add_candidates(self, candidates: list[RTCIceCandidate], complete: bool) -> None:
        """Add remote candidates behind the caller's back: resolving one may take seconds."""
        task = asyncio.create_task(
            self._add_candidates(candidates, complete), name="webrtc-candidates"
        )
        self._candidate_tasks.add(task)
        task.add_done_callback(self._candidate_tasks.discard)

    async def _add_candidates(self, candidates: list[RTCIceCandidate], complete: bool) -> None:
        ice = self._audio.receiver.transport.transport
        for candidate in candidates:
            try:
                await ice.addRemoteCandidate(candidate)
            except (OSError, ValueError) as error:
                logger.info("A remote candidate was ignored: {!r}", error)
        if complete:
            await ice.addRemoteCandidate(None)

    async def round_trip_s(self) -> float | None:
        """Return the round-trip time that RTCP measured, None before the first report."""
        for report in (await self._audio.sender.getStats()).values():
            if isinstance(report, RTCRemoteInboundRtpStreamStats):
                round_trip_s: float | None = report.roundTripTime
                return round_trip_s
        return None

    async def close(self) -> None:
        """Close everything; the listener hears nothing more.  Idempotent."""
        self._listener = None
        self._outbox.close()
        for task in list(self._candidate_tasks):
            task.cancel()
        await asyncio.gather(*self._candidate_tasks, return_exceptions=True)
        try:
            await asyncio.wait_for(self._pc.close(), CLOSE_TIMEOUT_S)
        except TimeoutError:
            logger.warning("A peer connection did not close within {} s", CLOSE_TIMEOUT_S)

    def _state_changed(self) -> None:
        if self._listener is not None:
            self._listener.on_state(self._pc.connectionState)

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if self._listener is None:
            return
        channel.on("message", self._message_received)
        channel.on("close", self._outbox.close)

        def send(text: str) -> None:
            if channel.readyState == "open":
                channel.send(text)

        self._outbox.open(send, lambda: channel.bufferedAmount)

    def _message_received(self, message: str | bytes) -> None:
        if self._listener is not None:
            self._listener.on_message(message)
