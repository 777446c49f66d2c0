"""The idle ladder: prompt, prompt, goodbye."""

from agent.config import TurnsConfig
from agent.turns.silence import SilenceWatch


def ladder(watch: SilenceWatch, from_s: float, to_s: float) -> list[tuple[float, str]]:
    times = [from_s + tick * 0.5 for tick in range(int((to_s - from_s) * 2))]
    return [(at, nudge) for at in times if (nudge := watch.step(at, quiet=True))]


def test_two_prompts_then_goodbye() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, max_idle_prompts=2))
    assert ladder(watch, 0, 31) == [(10, "prompt"), (20, "prompt"), (30, "goodbye")]


def test_a_turn_resets_the_ladder() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, max_idle_prompts=1))
    assert ladder(watch, 0, 15) == [(10, "prompt")]
    watch.step(15, quiet=False, caller_spoke=True)
    assert ladder(watch, 15, 37) == [(25, "prompt"), (35, "goodbye")]


def test_time_does_not_run_while_somebody_speaks() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, max_idle_prompts=1))
    ladder(watch, 0, 9)
    watch.step(9, quiet=False)
    assert ladder(watch, 9, 18) == []


def test_zero_never_prompts() -> None:
    assert ladder(SilenceWatch(TurnsConfig(idle_prompt_s=0)), 0, 500) == []
