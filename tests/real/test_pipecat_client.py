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

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, Page

from tests.real.browser import ALLOW_MICROPHONE, FAKE_DEVICE, chromium
from tests.real.fake_daemon import FakeDaemon

pytestmark = pytest.mark.real

FOLDER = Path(__file__).parent / "pipecat_client"
HTML = (
    '<!doctype html><title>caller</title><audio autoplay></audio><script src="caller.js"></script>'
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The client and its caller in one script."""
    installed = FOLDER / "node_modules" / ".package-lock.json"
    lock = FOLDER / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
    script = tmp_path_factory.mktemp("bundle") / "caller.js"
    npm("exec", "--", "esbuild", "caller.js", "--bundle", "--format=iife", f"--outfile={script}")
    return script.read_text()


def npm(*arguments: str) -> None:
    done = subprocess.run(
        ["npm", *arguments], cwd=FOLDER, env=os.environ, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def pages() -> Iterator[Page]:
    with chromium() as browsers:
        yield browsers.get(FAKE_DEVICE, ALLOW_MICROPHONE).new_page()


def open_caller(page: Page, url: str, bundle: str) -> None:
    """Load the caller as if the daemon at `url` served it, so that no other origin is involved."""
    page.unroute_all()
    page.route("**/caller", lambda route: route.fulfill(body=HTML, content_type="text/html"))
    page.route(
        "**/caller.js", lambda route: route.fulfill(body=bundle, content_type="text/javascript")
    )
    page.goto(f"{url}caller")


def connect(page: Page, **request: Any) -> Any:
    return page.evaluate(
        "request => caller.connect(request)", {"endpoint": "/api/offer", **request}
    )


def wait_for_event(page: Page, name: str) -> None:
    page.wait_for_function("name => caller.events.some(([n]) => n === name)", arg=name)


def events(page: Page, name: str) -> list[Any]:
    return [detail for event, detail in page.evaluate("caller.events") if event == name]


def test_a_call_from_the_first_offer_to_hanging_up(pages: Page, bundle: str) -> None:
    with FakeDaemon(token="secret") as daemon:
        open_caller(pages, daemon.url, bundle)
        ready = connect(
            pages,
            headers={"Authorization": "Bearer secret"},
            requestData={"persona": "tutor-en"},
        )
        assert ready["version"] == "2.1.0"
        wait_for_event(pages, "track")
        daemon.send("user-transcription", text="Hi.", user_id="", timestamp="", final=True)
        wait_for_event(pages, "user-transcript")
        assert events(pages, "user-transcript")[0]["text"] == "Hi."
        pages.evaluate("caller.disconnect()")
        wait_for_event(pages, "disconnected")
        assert events(pages, "error") == []


def test_what_it_sends(pages: Page, bundle: str) -> None:
    with FakeDaemon(token="secret") as daemon:
        open_caller(pages, daemon.url, bundle)
        connect(
            pages,
            headers={"Authorization": "Bearer secret"},
            requestData={"persona": "tutor-en"},
        )
        daemon.wait_for(lambda: any(isinstance(m, str) for m in daemon.received))
        offer, *patches = daemon.requests
        assert (offer.method, offer.path) == ("POST", "/api/offer")
        assert offer.headers["Content-Type"] == "application/json"
        assert offer.headers["Authorization"] == "Bearer secret"
        sdp = offer.body.pop("sdp")
        assert offer.body == {
            "type": "offer",
            "pc_id": None,
            "restart_pc": False,
            "requestData": {"persona": "tutor-en"},
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
        ready = daemon.messages("client-ready")
        assert [m["data"]["version"] for m in ready] == ["2.1.0"]
        pages.evaluate("caller.disconnect()")


def test_a_refused_offer_is_an_error_of_connect(pages: Page, bundle: str) -> None:
    with FakeDaemon() as daemon:
        daemon.refusal = (422, "unknown_persona", "no such persona")
        open_caller(pages, daemon.url, bundle)
        with pytest.raises(Error, match="WebRTC offer rejected with status 422"):
            connect(pages, headers={})
        assert [r.method for r in daemon.requests] == ["POST"]
