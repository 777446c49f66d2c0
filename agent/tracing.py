"""What the spans of a call are called, and how they lie inside of each other.

    call > turn > endpoint, stt
                > reply > llm, tool, tts > (the synthesis service's own)

In: the span that something belongs to, and what is known of its times, on the loop's clock.  Out:
spans of `tts.tracing`.  A reply that answers no turn, such as a greeting, lies in the call.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from agent.frames import TurnTiming
from tts.errors import TtsError
from tts.tracing import Span, within

TRACED_AS = "parley-agent"


def begin_turn(call: Span, number: int, timing: TurnTiming, now_s: float) -> Span:
    """A caller's turn that is being answered: from their last voice to the reply's end."""
    silent_s, decided_s = now_s - timing.speech_end_s, now_s - timing.decided_s
    turn = call.begin("turn", ago_s=silent_s, turn=number)
    asked_s = decided_s + timing.waited_for_stt_s
    turn.begin("endpoint", ago_s=silent_s).end(ago_s=asked_s)
    turn.begin("stt", ago_s=asked_s).end(ago_s=decided_s)
    return turn


@contextmanager
def asking(span: Span) -> Iterator[Span]:
    """Something is asked of another part or service, which learns of `span`; however this is left,
    it ends."""
    try:
        with within(span):
            yield span
    except Exception as error:
        span.end(error=error.code if isinstance(error, TtsError) else type(error).__name__)
        raise
    finally:
        span.end()
