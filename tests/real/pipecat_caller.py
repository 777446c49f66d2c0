"""pipecat's own JavaScript client, bundled and loaded into a browser page.

In: a page and the address of a daemon.  Out: what the client reports, as events.  Knows the
client's interface and nothing of Parley.  Installs the client with npm, from its lock file.
"""

import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

FOLDER = Path(__file__).parent / "pipecat_client"
NPM_TIMEOUT_S = 180.0
HTML = (
    '<!doctype html><title>caller</title><audio id="agent-audio" autoplay></audio>'
    '<script src="caller.js"></script>'
)


def build_bundle(folder: Path) -> str:
    """Return the client and its caller as one script; `folder` is for what the build writes."""
    installed = FOLDER / "node_modules" / ".package-lock.json"
    lock = FOLDER / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
    script = folder / "caller.js"
    _npm("exec", "--", "esbuild", "caller.js", "--bundle", "--format=iife", f"--outfile={script}")
    return script.read_text()


def _npm(*arguments: str) -> None:
    done = subprocess.run(
        ["npm", *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=NPM_TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr


class PipecatCaller:
    """The client on a page that the daemon at `url` seems to serve: no other origin is involved."""

    def __init__(self, page: Page, url: str, bundle: str) -> None:
        self.page = page
        page.unroute_all()
        page.route("**/caller", lambda route: route.fulfill(body=HTML, content_type="text/html"))
        page.route(
            "**/caller.js",
            lambda route: route.fulfill(body=bundle, content_type="text/javascript"),
        )
        page.goto(f"{url}caller")

    def connect(self, **request: Any) -> Any:
        """Ring, with `headers` and `requestData`; returns the bot-ready message's data."""
        return self.page.evaluate(
            "request => caller.connect(request)", {"endpoint": "/api/offer", **request}
        )

    def disconnect(self) -> None:
        """Hang up and wait until the client says so."""
        self.page.evaluate("caller.disconnect()")
        self.wait_for("disconnected")

    def wait_for(self, name: str, timeout_ms: float = 20_000) -> None:
        """Wait until an event of that name was reported."""
        self.page.wait_for_function(
            "name => caller.events.some(([n]) => n === name)", arg=name, timeout=timeout_ms
        )

    def events(self, name: str) -> list[Any]:
        """The details of every event of that name so far."""
        return [detail for event, detail in self.page.evaluate("caller.events") if event == name]
