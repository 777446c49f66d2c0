"""Fails when aiortc or aioice change what `aiortc_compat` reaches into."""

import asyncio
import importlib.metadata
import inspect

import aioice
import aiortc.rtcsctptransport as sctp
import pytest
from aiortc import RTCPeerConnection
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtcrtpsender import RTCRtpSender

from transports import aiortc_compat


def audio_line(check):
    async def scenario():
        pc = RTCPeerConnection()
        try:
            await check(pc, pc.addTransceiver("audio", "sendrecv"))
        finally:
            await pc.close()

    asyncio.run(scenario())


def test_installed_aiortc_is_supported():
    aiortc_compat.require_supported_aiortc()


@pytest.mark.parametrize("version", ["1.15.2", "1.17.0", "2.0.0"])
def test_other_versions_are_refused_with_a_sentence(monkeypatch, version):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    with pytest.raises(aiortc_compat.UnsupportedAiortc, match=rf"aiortc {version} is installed"):
        aiortc_compat.require_supported_aiortc()


def test_receiver_feeds_a_buffer_kept_under_the_name_we_replace():
    source = inspect.getsource(RTCRtpReceiver._handle_rtp_packet)
    assert "self.__jitter_buffer.add(packet)" in source
    assert "packet._data = depayload" in source

    async def check(pc, line):
        assert hasattr(line.receiver, "_RTCRtpReceiver__jitter_buffer")

    audio_line(check)


def test_buffer_answers_with_a_flag_and_a_frame_or_none():
    source = inspect.getsource(RTCRtpReceiver._handle_rtp_packet)
    assert "pli_flag, encoded_frame = self.__jitter_buffer.add(packet)" in source
    assert "if encoded_frame is not None" in source


def test_transport_receives_and_sends_through_the_methods_we_wrap():
    assert "await self._recv_next()" in inspect.getsource(RTCDtlsTransport)
    assert "await self.transport._send_rtp(packet_bytes)" in inspect.getsource(RTCRtpSender)
    assert list(inspect.signature(RTCDtlsTransport._send_rtp).parameters) == ["self", "data"]


def test_gathering_takes_a_timeout_under_the_name_we_bind():
    method = aioice.Connection.get_component_candidates
    assert inspect.signature(method).parameters["timeout"].default == 5
    assert "self.get_component_candidates(component=" in inspect.getsource(
        aioice.Connection.gather_candidates
    )

    async def check(pc, line):
        assert isinstance(
            line.receiver.transport.transport.iceGatherer._connection, aioice.Connection
        )

    audio_line(check)


def test_data_channel_datagrams_fit_the_smallest_ipv6_path():
    """1280 bytes less IPv6 (40), UDP (8), DTLS 1.2 with AES-GCM (37) and SCTP (28)."""
    assert sctp.USERDATA_MAX_LENGTH <= 1280 - 40 - 8 - 37 - 28


def test_fault_while_receiving_is_dropped_and_a_lost_connection_is_not():
    async def check(pc, line):
        outcomes = [IndexError("empty"), None, ValueError("odd"), ConnectionError("gone")]

        async def receive_next():
            outcome = outcomes.pop(0)
            if outcome is not None:
                raise outcome

        line.receiver.transport._recv_next = receive_next
        aiortc_compat.survive_malformed_packets(line.receiver)
        for _ in range(3):
            await line.receiver.transport._recv_next()
        with pytest.raises(ConnectionError):
            await line.receiver.transport._recv_next()

    audio_line(check)


def test_fault_that_never_ends_is_not_hidden_for_ever():
    async def check(pc, line):
        async def receive_next():
            raise IndexError("always")

        line.receiver.transport._recv_next = receive_next
        aiortc_compat.survive_malformed_packets(line.receiver)
        for _ in range(aiortc_compat.MAX_CONSECUTIVE_FAULTS - 1):
            await line.receiver.transport._recv_next()
        with pytest.raises(IndexError):
            await line.receiver.transport._recv_next()

    audio_line(check)
