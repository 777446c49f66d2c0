"""pipecat's own JavaScript client in a real browser: what it sends, and a call with it.

What `@pipecat-ai/small-webrtc-transport` 1.10.8 sends, held here so that an update shows:

- `POST /api/offer`, `Content-Type: application/json` beside the application's own headers, body
  {"sdp", "type": "offer", "pc_id": null, "restart_pc": false, "requestData"}: the last one in camel
  case, and absent when the application gives none.  The offer has one audio and two video sections
  and a data channel named "chat".  A 4xx answer ends its attempt; anything else is tried again
  three times, two seconds apart, with "restart_pc": true and whatever pc_id it last got.
- `PATCH /api/offer` with the same headers and {"pc_id", "candidates": [{"candidate", "sdp_mid",
  "sdp_mline_index"}]}, at most every 200 ms, from the answer on; its answer is not read.
- On the channel, first {"type": "signalling", "message": {"type": "trackStatus",
  "receiver_index", "enabled"}} for each of the three sections, without a label or an id; then
  RTVI's client-ready with version "2.1.0"; and "ping: <milliseconds>" each second.
- `POST /start` only when the application asks for `startBot`; `connect` alone never does.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Error, Page

from tests.real.browser import ALLOW_MICROPHONE, FAKE_DEVICE, chromium
from tests.real.fake_daemon import FakeDaemon
from tests.real.pipecat_caller import PipecatCaller, build_bundle

pytestmark = pytest.mark.real

TOKEN = {"Authorization": "Bearer secret"}
TUTOR = {"persona": "tutor-en"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browsers:
        yield browsers.get(FAKE_DEVICE, ALLOW_MICROPHONE).new_page()


def test_a_call_from_the_first_offer_to_hanging_up(page: Page, bundle: str) -> None:
    with FakeDaemon(token="secret") as daemon:
        caller = PipecatCaller(page, daemon.url, bundle)
        ready = caller.connect(headers=TOKEN, requestData=TUTOR)
        assert ready["version"] == "2.1.0"
        caller.wait_for("track")
        daemon.send("user-transcription", text="Hi.", user_id="", timestamp="", final=True)
        caller.wait_for("user-transcript")
        assert [said["text"] for said in caller.events("user-transcript")] == ["Hi."]
        caller.disconnect()
        assert caller.events("error") == []


def test_what_it_sends(page: Page, bundle: str) -> None:
    with FakeDaemon(token="secret") as daemon:
        caller = PipecatCaller(page, daemon.url, bundle)
        caller.connect(headers=TOKEN, requestData=TUTOR)
        daemon.wait_for(lambda: any(isinstance(m, str) for m in daemon.received))
        caller.disconnect()
        offer, *patches = daemon.requests
        assert (offer.method, offer.path) == ("POST", "/api/offer")
        assert offer.headers["Content-Type"] == "application/json"
        assert offer.headers["Authorization"] == "Bearer secret"
        sdp = offer.body.pop("sdp")
        assert offer.body == {
            "type": "offer",
            "pc_id": None,
            "restart_pc": False,
            "requestData": TUTOR,
        }
        sections = [line.split()[0] for line in sdp.splitlines() if line.startswith("m=")]
        assert sections == ["m=audio", "m=video", "m=video", "m=application"]
        for patch in patches:
            assert (patch.method, patch.path) == ("PATCH", "/api/offer")
            assert patch.headers["Authorization"] == "Bearer secret"
            assert set(patch.body) == {"pc_id", "candidates"}
            assert patch.body["pc_id"] == "peer-0"
        assert {frozenset(item) for patch in patches for item in patch.body["candidates"]} == {
            frozenset({"candidate", "sdp_mid", "sdp_mline_index"})
        }
        assert daemon.received[:3] == [
            {
                "type": "signalling",
                "message": {"type": "trackStatus", "receiver_index": index, "enabled": index == 0},
            }
            for index in range(3)
        ]
        assert [m["data"]["version"] for m in daemon.messages("client-ready")] == ["2.1.0"]


def test_a_refused_offer_is_an_error_of_connect(page: Page, bundle: str) -> None:
    with FakeDaemon() as daemon:
        daemon.refusal = (422, "unknown_persona", "no such persona")
        caller = PipecatCaller(page, daemon.url, bundle)
        with pytest.raises(Error, match="WebRTC offer rejected with status 422"):
            caller.connect(headers={})
        assert [r.method for r in daemon.requests] == ["POST"]
