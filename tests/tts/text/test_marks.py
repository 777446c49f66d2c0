"""Words placed in audio: guessed by length, moved by trimming."""

from tts.text.marks import guessed, to_marks
from tts.text.spans import Span


def test_guessed_times_follow_length() -> None:
    heard = guessed("aaa a", Span(0, 5), 0, 80)
    assert [(h.start, h.end) for h in heard] == [(0, 60), (60, 80)]


def test_trimming_moves_marks_and_keeps_them_inside_the_voice() -> None:
    heard = guessed("a b", Span(0, 3), 0, 100)
    marks = to_marks(
        heard, cut=20, voiced_end=60, offset=1000, sample_rate_hz=1000, estimated=False
    )
    assert [(m.start_s, m.end_s) for m in marks] == [(1.0, 1.03), (1.03, 1.06)]
