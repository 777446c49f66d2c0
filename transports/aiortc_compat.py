"""The one place that reaches into aiortc's and aioice's privates, and why.

In: objects of aiortc 1.16.  Out: what its public interface does not offer: packets as they
arrive, bounded gathering, a transport that outlives malformed packets, and (for tests and
benches) a tap on outgoing packets.  Refuses other versions with a sentence; a contract test fails
when the names used here change.  Called from the event loop's thread.
"""

import importlib.metadata
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc.rtp import is_rtcp
from loguru import logger

from transports.jitter_buffer import Packet

SUPPORTED = "1.16."
MAX_CONSECUTIVE_FAULTS = 100


class UnsupportedAiortc(RuntimeError):
    """The installed aiortc is not one this module was written against."""


def require_supported_aiortc() -> None:
    """Raise `UnsupportedAiortc` unless aiortc is 1.16.x."""
    version = importlib.metadata.version("aiortc")
    if not version.startswith(SUPPORTED):
        raise UnsupportedAiortc(
            f"aiortc {version} is installed; this transport replaces parts of aiortc {SUPPORTED}x "
            f"and works with no other. Install 'aiortc~=1.16.0'."
        )


class _PacketTap:
    """Stands in for an audio receiver's jitter buffer and never gives it a frame.

    aiortc's own buffer holds 4 packets back, gives one frame for each packet added, and so keeps
    for ever the backlog that one lost packet builds up (measured: 281 ms).
    """

    def __init__(self, on_packet: Callable[[Packet], None]) -> None:
        self._on_packet = on_packet

    def add(self, packet: Any) -> tuple[bool, None]:
        self._on_packet(Packet(packet.sequence_number, packet.timestamp, packet.ssrc, packet._data))
        return False, None


def tap_packets(receiver: RTCRtpReceiver, on_packet: Callable[[Packet], None]) -> None:
    """Give every RTP packet of a known payload type to `on_packet`, in order of arrival.

    aiortc then decodes nothing for this receiver; its RTCP statistics go on.
    """
    assert hasattr(receiver, "_RTCRtpReceiver__jitter_buffer")
    receiver._RTCRtpReceiver__jitter_buffer = _PacketTap(on_packet)


def bound_gathering(pc: RTCPeerConnection, timeout_s: float) -> None:
    """Let gathering wait for STUN and TURN servers no longer than this (aioice waits 5 s).

    Candidates found by then are used; host candidates always are.
    """
    for ice in _ice_transports(pc):
        connection = ice.iceGatherer._connection
        connection.get_component_candidates = partial(
            connection.get_component_candidates, timeout=timeout_s
        )


def _ice_transports(pc: RTCPeerConnection) -> set[Any]:
    transports = {t.receiver.transport.transport for t in pc.getTransceivers()}
    if pc.sctp is not None:
        transports.add(pc.sctp.transport.transport)
    return transports


def survive_malformed_packets(receiver: RTCRtpReceiver) -> None:
    """Keep the receiver's transport alive when a packet cannot be handled.

    aiortc ends the whole connection on any unexpected exception, and an empty datagram, which
    anybody can send, is enough to raise one.
    """
    dtls = receiver.transport
    receive_next: Callable[[], Awaitable[None]] = dtls._recv_next
    faults = 0

    async def receive_next_guarded() -> None:
        nonlocal faults
        try:
            await receive_next()
        except ConnectionError:
            raise
        except Exception as error:
            faults += 1
            if faults >= MAX_CONSECUTIVE_FAULTS:
                raise
            logger.warning("A malformed packet was dropped: {!r}", error)
        else:
            faults = 0

    dtls._recv_next = receive_next_guarded  # type: ignore[method-assign]


def tap_outgoing_rtp(
    sender: RTCRtpSender,
    relay: Callable[[bytes, Callable[[bytes], Awaitable[None]]], Awaitable[None]],
) -> None:
    """Let `relay(packet, send)` decide when and whether each outgoing RTP packet is sent.

    RTCP is not touched.
    """
    dtls = sender.transport
    send: Callable[[bytes], Awaitable[None]] = dtls._send_rtp

    async def send_tapped(data: bytes) -> None:
        if is_rtcp(data):
            await send(data)
        else:
            await relay(data, send)

    dtls._send_rtp = send_tapped  # type: ignore[method-assign]
