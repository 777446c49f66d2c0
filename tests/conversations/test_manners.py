"""Manners of a call: openers, what is said in silence and while tools run, and murmurs."""

from agent.config import TurnsConfig
from tests.conversations.harness import Call


def test_silence_is_asked_about_then_an_offer_is_made_then_the_agent_hangs_up() -> None:
    call = Call(turns=TurnsConfig(idle_prompt_s=10, max_idle_prompts=2)).run(until=90)
    assert call.words() == (
        "Are you still there "
        "Shall I go over it again or is there anything else "
        "Thanks for talking with me Goodbye"
    )
    assert call.reason == "agent ended the call"
    assert [(n["kind"], n["unanswered"]) for _, n in call.log.named("nudge")] == [
        ("prompt", 0),
        ("offer", 1),
        ("goodbye", 2),
    ]
