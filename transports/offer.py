"""Reads and prepares a caller's WebRTC offer before aiortc sees it.

In: SDP text and trickled candidates as they came over HTTP.  Out: an offer this side can answer,
its candidates apart, or `OfferRefused` with a code and a sentence.  Opens nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiortc import RTCIceCandidate
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp

MAX_SDP_CHARS = 200_000
MAX_MEDIA_LINES = 16
MAX_CANDIDATES = 100  # Of one offer or one PATCH; browsers send about ten.

_CANDIDATE_LINE = re.compile(r"^a=(candidate:|end-of-candidates).*(\r?\n|$)", re.MULTILINE)
_BUNDLE_LINE = re.compile(r"^a=group:BUNDLE (?P<mids>.*?)(?P<end>\r?)$", re.MULTILINE)


class OfferRefused(Exception):
    """The signalling message cannot be served; `code` is stable, `message` is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Offer:
    """An offer this side can answer."""

    sdp: str
    """Without candidates, and with the audio line first in its bundle."""
    candidates: tuple[RTCIceCandidate, ...]
    candidates_complete: bool
    """The offer said that no more candidates follow."""


def read_offer(sdp: object, kind: object) -> Offer:
    """Check an offer and take its candidates out.

    Candidates are added behind the answer, because resolving one (an mDNS name) may take seconds
    or fail, and neither should touch the answer.

    Raises `OfferRefused`: "wrong_type", "malformed_sdp", "no_audio", "unsupported".
    """
    if kind != "offer":
        raise OfferRefused("wrong_type", f"type is {kind!r}; it must be 'offer'")
    if not isinstance(sdp, str) or not sdp.lstrip().startswith("v=0"):
        raise OfferRefused("malformed_sdp", "sdp must be text that begins with 'v=0'")
    if len(sdp) > MAX_SDP_CHARS:
        raise OfferRefused("malformed_sdp", f"sdp is longer than {MAX_SDP_CHARS} characters")
    try:
        description = SessionDescription.parse(sdp)
    except Exception as error:  # aiortc's parser raises whatever the text makes it stumble over.
        raise OfferRefused("malformed_sdp", f"sdp cannot be read: {error!r}") from None
    audio = _check_media(description.media)
    candidates = [c for media in description.media for c in media.ice_candidates]
    if len(candidates) > MAX_CANDIDATES:
        raise OfferRefused("malformed_sdp", f"sdp has more than {MAX_CANDIDATES} candidates")
    return Offer(
        sdp=_audio_first(_CANDIDATE_LINE.sub("", sdp), audio.rtp.muxId),
        candidates=tuple(candidates),
        candidates_complete=any(m.ice_candidates_complete for m in description.media),
    )


def _check_media(lines: list[MediaDescription]) -> MediaDescription:
    """Return the audio line that will carry the call."""
    if len(lines) > MAX_MEDIA_LINES:
        raise OfferRefused("malformed_sdp", f"sdp has more than {MAX_MEDIA_LINES} media lines")
    audio = next((line for line in lines if line.kind == "audio"), None)
    if audio is None:
        raise OfferRefused("no_audio", "the offer has no audio line (m=audio)")
    if not any(codec.mimeType.lower() == "audio/opus" for codec in audio.rtp.codecs):
        raise OfferRefused("unsupported", "the audio line does not offer Opus")
    for line in lines:
        if line.dtls is None or not line.dtls.fingerprints:
            raise OfferRefused("malformed_sdp", f"the {line.kind} line has no DTLS fingerprint")
        if line.ice is None or not line.ice.usernameFragment or not line.ice.password:
            raise OfferRefused("malformed_sdp", f"the {line.kind} line has no ICE credentials")
        if line.kind == "application" and line.sctp_port is None and line.profile != "DTLS/SCTP":
            raise OfferRefused("malformed_sdp", "the application line has no sctp-port")
    return audio


def _audio_first(sdp: str, audio_mid: str | None) -> str:
    """Name the audio line first in the bundle.

    aiortc closes the one transport that all lines share if the line it made it for comes later.
    """

    def reordered(match: re.Match[str]) -> str:
        mids = match["mids"].split()
        if audio_mid is None or audio_mid not in mids:  # None: `a=mid` without a value
            return match[0]
        others = [mid for mid in mids if mid != audio_mid]
        return " ".join(["a=group:BUNDLE", audio_mid, *others]) + match["end"]

    return _BUNDLE_LINE.sub(reordered, sdp)


def read_candidates(items: object) -> tuple[list[RTCIceCandidate], bool]:
    """Read trickled candidates: a list of objects with `candidate`, `sdp_mid`, `sdp_mline_index`.

    Returns the candidates and whether an empty one (RFC 8840) said that no more follow.  Raises
    `OfferRefused` ("malformed_candidate") naming the item; then none of them is to be used.
    """
    if not isinstance(items, list) or len(items) > MAX_CANDIDATES:
        raise OfferRefused(
            "malformed_candidate", f"candidates must be a list of at most {MAX_CANDIDATES} objects"
        )
    candidates = []
    complete = False
    for index, item in enumerate(items):
        text = item.get("candidate") if isinstance(item, Mapping) else None
        if not isinstance(text, str):
            raise OfferRefused("malformed_candidate", f"candidates[{index}].candidate must be text")
        if text.strip():
            candidates.append(_read_candidate(text, item, index))
        else:
            complete = True
    return candidates, complete


def _read_candidate(text: str, item: Mapping[str, Any], index: int) -> RTCIceCandidate:
    try:
        candidate = candidate_from_sdp(text.strip().removeprefix("a=").removeprefix("candidate:"))
    except Exception:  # As with the offer: the parser raises what the text makes it stumble over.
        raise OfferRefused(
            "malformed_candidate",
            f"candidates[{index}].candidate is {text[:80]!r}, not a candidate",
        ) from None
    mid = item.get("sdp_mid")
    candidate.sdpMid = str(mid) if mid is not None else "0"
    return candidate
