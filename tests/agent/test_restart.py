"""When a dead child is started again."""

from agent.restart import Backoff, RestartPolicy

BACKOFF = Backoff(first_s=0.1, factor=3.0, max_s=2.0, well_s=30.0)


def delays(policy: RestartPolicy, lives_s: list[float]) -> list[float]:
    now_s, result = 100.0, []
    for life_s in lives_s:
        policy.started(now_s)
        now_s += life_s
        result.append(round(policy.died(now_s), 6))
        now_s += result[-1]
    return result


def test_the_first_restart_is_quick_and_later_ones_wait_longer_up_to_a_bound() -> None:
    assert delays(RestartPolicy(BACKOFF), [1.0] * 5) == [0.1, 0.3, 0.9, 2.0, 2.0]


def test_a_child_that_ran_well_is_restarted_quickly_again() -> None:
    assert delays(RestartPolicy(BACKOFF), [1.0, 1.0, 31.0, 1.0]) == [0.1, 0.3, 0.1, 0.3]
