"""What a pull says while it works."""

import io
import itertools

from tests.tts.test_terminal import Screen
from tts.pretrained.hub import Checksum, RemoteFile
from tts.pretrained.pulling import Report
from tts.terminal import Terminal

FILE = RemoteFile("v2Pro/s2Gv2Pro.pth", "http://x", 100_000_000, Checksum("git", "00"), "")


def test_progress_names_bytes_rate_and_time_left() -> None:
    screen = Screen()
    terminal = Terminal(screen, itertools.count().__next__)
    now_s = [0.0]
    report = Report(terminal, total_bytes=150_000_000, clock=lambda: now_s[0])
    report.begin(FILE, have_bytes=50_000_000)
    now_s[0] = 2.0
    report.advance(20_000_000)
    assert screen.getvalue() == (
        "v2Pro/s2Gv2Pro.pth: going on at 50.0 MB\n"
        "\r\x1b[Ks2Gv2Pro.pth 70.0 MB of 100.0 MB; in all 20.0 MB of 150.0 MB, 10.0 MB/s, 0:13 left"
    )


def test_a_log_gets_no_progress_but_every_wait() -> None:
    log = io.StringIO()
    report = Report(Terminal(log), total_bytes=150_000_000)
    report.begin(FILE, have_bytes=0)
    report.advance(1000)
    report.waiting("status 503", 4.0)
    assert log.getvalue() == "status 503; trying again in 4 s\n"
