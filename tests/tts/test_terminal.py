"""Lines on a terminal, and elsewhere."""

import io

import pytest

from tts.terminal import Terminal, megabytes, minutes


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_shown_line_is_written_over_and_a_said_line_stays() -> None:
    screen = Screen()
    now_s = iter([0.0, 0.0, 0.05, 1.0, 1.0])
    terminal = Terminal(screen, lambda: next(now_s))
    terminal.show("1 of 3")
    terminal.show("2 of 3")  # too soon to be seen
    terminal.show("3 of 3")
    terminal.say("done")
    assert screen.getvalue() == "\r\x1b[K1 of 3\r\x1b[K3 of 3\r\x1b[Kdone\n"


def test_what_is_no_terminal_gets_the_lines_that_stay() -> None:
    file = io.StringIO()
    terminal = Terminal(file)
    terminal.show("1 of 3")
    terminal.say("done")
    terminal.clear()
    assert file.getvalue() == "done\n"


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0.0 MB"), (155_312_000, "155.3 MB"), (1_290_000_000, "1.29 GB")]
)
def test_bytes_are_said_as_people_read_them(count: int, said: str) -> None:
    assert megabytes(count) == said


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0:00"), (59.6, "1:00"), (3661, "61:01")])
def test_times_are_said_as_people_read_them(seconds: float, said: str) -> None:
    assert minutes(seconds) == said
