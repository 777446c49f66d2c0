"""A headless Chromium for tests, with a microphone that plays a WAV file.

In: what the browser's microphone should be.  Out: a Playwright `Browser`.  Uses the Chromium that
is installed on the machine and downloads nothing.  Call from the test's thread.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

QUIET_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FAKE_DEVICE = "--use-fake-device-for-media-stream"
"""A beeping microphone."""
ALLOW_MICROPHONE = "--use-fake-ui-for-media-stream"
"""Every question for the microphone is answered with yes."""


def playing(wav: Path) -> list[str]:
    """Flags of a microphone that plays `wav` once and is silent after."""
    return [
        FAKE_DEVICE,
        ALLOW_MICROPHONE,
        f"--use-file-for-fake-audio-capture={wav}%noloop",
    ]


class Browsers:
    """Chromium with any flags; those with the same flags are one process."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._open: dict[tuple[str, ...], Browser] = {}
        executable = shutil.which("chromium")
        assert executable is not None, "these tests need Chromium: apt-get install chromium"
        self._executable = executable

    def get(self, *flags: str) -> Browser:
        """Return a running browser with these flags beside the quiet ones."""
        if flags not in self._open:
            self._open[flags] = self._playwright.chromium.launch(
                executable_path=self._executable, headless=True, args=[*QUIET_FLAGS, *flags]
            )
        return self._open[flags]

    def close(self) -> None:
        """End every browser."""
        for browser in self._open.values():
            browser.close()


@contextmanager
def chromium() -> Iterator[Browsers]:
    """Browsers that end with the block; at most one such block at a time."""
    with sync_playwright() as playwright:
        browsers = Browsers(playwright)
        try:
            yield browsers
        finally:
            browsers.close()


class Complaints:
    """What a page wrote to its console as a warning or an error, and what it threw."""

    def __init__(self, page: Page) -> None:
        self.lines: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.lines.append(f"thrown: {error}"))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("warning", "error"):
            self.lines.append(f"{message.type}: {message.text}")
