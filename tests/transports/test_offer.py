import asyncio

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.offer import MAX_CANDIDATES, OfferRefused, read_candidates, read_offer

CANDIDATE = "candidate:842163049 1 udp 1677729535 192.0.2.7 46154 typ srflx"


async def _browser_offer(lines: tuple[str, ...]) -> str:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        for line in lines:
            if line == "data":
                pc.createDataChannel("chat")
            else:
                pc.addTransceiver(line, "sendrecv")
        return (await pc.createOffer()).sdp
    finally:
        await pc.close()


def browser_offer(*lines: str) -> str:
    """An offer as a page makes it, with one candidate."""
    sdp = asyncio.run(_browser_offer(lines))
    return sdp.rstrip("\r\n") + f"\r\na={CANDIDATE}\r\na=end-of-candidates\r\n"


@pytest.fixture(scope="module")
def audio_offer() -> str:
    return browser_offer("audio", "data")


def refused(sdp: object, kind: object = "offer") -> str:
    with pytest.raises(OfferRefused) as caught:
        read_offer(sdp, kind)
    assert caught.value.message
    return caught.value.code


def test_candidates_are_taken_out_of_the_offer(audio_offer):
    offer = read_offer(audio_offer, "offer")
    assert [(c.ip, c.port) for c in offer.candidates] == [("192.0.2.7", 46154)]
    assert offer.candidates_complete
    assert "a=candidate" not in offer.sdp and "end-of-candidates" not in offer.sdp
    assert offer.sdp.count("m=audio") == offer.sdp.count("m=application") == 1


def test_audio_line_leads_its_bundle():
    sdp = browser_offer("video", "audio", "data")
    assert "a=group:BUNDLE 0 1 2\r\n" in sdp
    assert "a=group:BUNDLE 1 0 2\r\n" in read_offer(sdp, "offer").sdp


@pytest.mark.parametrize("kind", ["answer", "pranswer", "", None, 3, "OFFER"])
def test_only_offers_are_answered(audio_offer, kind):
    assert refused(audio_offer, kind) == "wrong_type"


@pytest.mark.parametrize(
    "sdp", ["", "hello", None, 7, b"v=0", "v=0\r\nm=audio x y z", "v=0" * 99_999]
)
def test_text_that_is_not_sdp_is_refused(sdp):
    assert refused(sdp) == "malformed_sdp"


def test_offer_without_audio_is_refused():
    assert refused(browser_offer("video", "data")) == "no_audio"


def test_audio_without_opus_is_refused(audio_offer):
    assert refused(audio_offer.replace("opus/48000", "vorbis/48000")) == "unsupported"


@pytest.mark.parametrize("attribute", ["fingerprint", "ice-ufrag", "ice-pwd", "setup", "sctp-port"])
def test_offer_that_could_never_connect_is_refused(audio_offer, attribute):
    lines = [x for x in audio_offer.splitlines() if not x.startswith(f"a={attribute}:")]
    assert refused("\r\n".join(lines) + "\r\n") == "malformed_sdp"


@pytest.mark.parametrize("mid", ["a=mid", "a=mid:", "a=mid:7"])
def test_an_audio_line_that_the_bundle_does_not_name_stays_out_of_it(audio_offer, mid):
    """A mid without a value once raised `TypeError`."""
    damaged = audio_offer.replace("a=mid:0", mid)
    assert "a=group:BUNDLE 0 1" in read_offer(damaged, "offer").sdp


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_offers_are_read_or_refused(audio_offer, data):
    lines = audio_offer.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(lines) - 1))
        damage = data.draw(st.sampled_from(["drop", "cut", "repeat", "noise"]))
        if damage == "drop" and len(lines) > 1:
            del lines[index]
        elif damage == "cut":
            lines[index] = lines[index][: data.draw(st.integers(0, len(lines[index])))]
        elif damage == "repeat":
            lines.insert(index, lines[index])
        else:
            lines[index] = lines[index][:2] + data.draw(st.text(max_size=20))
    try:
        read_offer("\r\n".join(lines) + "\r\n", "offer")
    except OfferRefused as refusal:
        assert refusal.code in ("malformed_sdp", "no_audio", "unsupported")


def test_trickled_candidates_are_read():
    items = [
        {"candidate": CANDIDATE, "sdp_mid": "0", "sdp_mline_index": 0},
        {"candidate": f"a={CANDIDATE}", "sdp_mid": None, "sdp_mline_index": None},
        {"candidate": "", "sdp_mid": "0", "sdp_mline_index": 0},
    ]
    candidates, complete = read_candidates(items)
    assert [(c.ip, c.port, c.sdpMid) for c in candidates] == [("192.0.2.7", 46154, "0")] * 2
    assert complete


@pytest.mark.parametrize(
    "items",
    [
        None,
        {},
        "x",
        [None],
        [{}],
        [{"candidate": 3}],
        [{"candidate": "candidate:1"}],
        [{"candidate": "a b c d e f g h"}],
        [{"candidate": ""}] * (MAX_CANDIDATES + 1),
    ],
)
def test_malformed_candidates_are_refused(items):
    with pytest.raises(OfferRefused) as caught:
        read_candidates(items)
    assert caught.value.code == "malformed_candidate"


@given(st.text(max_size=100))
def test_any_candidate_text_is_read_or_refused(text):
    try:
        read_candidates([{"candidate": text}])
    except OfferRefused as refusal:
        assert refusal.code == "malformed_candidate"
