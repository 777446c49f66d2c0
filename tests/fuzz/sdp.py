"""A caller's signalling: the first byte chooses an offer or a trickled candidate.

Must hold: it is read, or refused with a code and a sentence.
"""

import atheris

with atheris.instrument_imports(include=["transports.offer", "aiortc.sdp"]):
    from transports.offer import Offer, OfferRefused, read_candidates, read_offer

from tests.fuzz.running import run

OFFER = b"""v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=mid:0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33
a=setup:actpass
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=candidate:1 1 udp 2130706431 192.168.1.2 54321 typ host
a=end-of-candidates
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:1
a=sctp-port:5000
"""
SEEDS = [
    b"\x00" + OFFER.replace(b"\n", b"\r\n"),
    b"\x01candidate:1 1 udp 2130706431 192.168.1.2 54321 typ host generation 0 ufrag abcd\n0",
    b"\x01candidate:2 1 tcp 1 x.local 9 typ srflx raddr 0.0.0.0 rport 0 tcptype active\nx",
]


def target(data: bytes) -> None:
    if not data:
        return
    text = data[1:].decode("utf-8", "replace")
    try:
        if data[0] % 2 == 0:
            assert isinstance(read_offer(text, "offer"), Offer)
        else:
            candidate, _, mid = text.partition("\n")
            read_candidates([{"candidate": candidate, "sdp_mid": mid, "sdp_mline_index": 0}])
    except OfferRefused as refusal:
        assert refusal.code
        assert refusal.message


if __name__ == "__main__":
    run(target, SEEDS)
