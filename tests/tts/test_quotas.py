"""How much each caller gets, on a clock that the tests turn."""

from collections import Counter, defaultdict
from contextlib import AbstractContextManager, ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.context import ANYONE, Caller
from tts.errors import RateLimited
from tts.quotas import MINUTE_S, Quotas


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def asked(quotas: Quotas, caller: Caller) -> bool:
    """Whether a request that ends at once is let in."""
    try:
        with quotas.stream(caller):
            return True
    except RateLimited:
        return False


def refusal(quotas: Quotas, caller: Caller) -> RateLimited:
    with pytest.raises(RateLimited) as caught, quotas.stream(caller):
        pass
    return caught.value


def test_a_minutes_worth_may_come_at_once_and_one_more_is_told_when_to_come_again() -> None:
    clock = Clock()
    quotas, ann = Quotas(clock), Caller("ann", requests_per_minute=6)
    assert [asked(quotas, ann) for _ in range(7)] == [True] * 6 + [False]
    error = refusal(quotas, ann)
    assert error.retry_after_s == pytest.approx(10)
    assert "6 times a minute; the next request is possible in 10.0 s" in str(error)
    clock.now_s += 9.9
    assert not asked(quotas, ann)
    clock.now_s += 0.1
    # One has come back, and no more.
    assert [asked(quotas, ann) for _ in range(2)] == [True, False]
    clock.now_s += MINUTE_S
    assert [asked(quotas, ann) for _ in range(7)] == [True] * 6 + [False]


def test_streams_at_once_are_counted_until_they_end_however_they_end() -> None:
    quotas, ann = Quotas(Clock()), Caller("ann", max_streams=2)
    with quotas.stream(ann):
        with pytest.raises(ValueError, match="scripted"), quotas.stream(ann):
            error = refusal(quotas, ann)
            assert "2 streams of this key are running, and it may have 2 at once" in str(error)
            assert error.retry_after_s == 1
            raise ValueError("scripted")
        assert asked(quotas, ann)
    assert asked(quotas, ann)


def test_a_refusal_uses_up_nothing() -> None:
    clock = Clock()
    quotas, ann = Quotas(clock), Caller("ann", requests_per_minute=3, max_streams=1)
    with quotas.stream(ann):
        for _ in range(50):
            refusal(quotas, ann)
    assert [asked(quotas, ann) for _ in range(3)] == [True, True, False]


def test_what_is_spoken_later_counts_as_a_request_and_as_no_stream() -> None:
    quotas, ann = Quotas(Clock()), Caller("ann", requests_per_minute=3, max_streams=1)
    quotas.count(ANYONE)
    with quotas.stream(ann):
        quotas.count(ann)
        quotas.count(ann)
        with pytest.raises(RateLimited, match="3 times a minute"):
            quotas.count(ann)
    assert "times a minute" in str(refusal(quotas, ann))


def test_one_callers_flood_does_not_touch_another() -> None:
    quotas = Quotas(Clock())
    ann, bob = (Caller(name, requests_per_minute=10, max_streams=1) for name in ("ann", "bob"))
    assert sum(asked(quotas, ann) for _ in range(1000)) == 10
    assert sum(asked(quotas, bob) for _ in range(1000)) == 10


def test_whoever_has_no_limits_is_not_even_remembered() -> None:
    quotas = Quotas(Clock())
    with ExitStack() as running:
        for number in range(1000):
            running.enter_context(quotas.stream(ANYONE))
            running.enter_context(quotas.stream(Caller(f"ann{number}")))
        assert len(quotas) == 0


def test_a_token_with_other_limits_does_not_forget_what_its_owner_used() -> None:
    quotas = Quotas(Clock())
    with quotas.stream(Caller("ann", max_streams=5)), quotas.stream(Caller("ann", max_streams=5)):
        refusal(quotas, Caller("ann", max_streams=2))
        assert asked(quotas, Caller("ann", max_streams=3))


def test_callers_that_come_and_go_are_forgotten_but_not_what_they_still_use() -> None:
    clock = Clock()
    quotas, stays = Quotas(clock), Caller("stays", requests_per_minute=60, max_streams=1)
    with quotas.stream(stays):
        for number in range(10_000):
            assert asked(quotas, Caller(f"guest{number}", requests_per_minute=1, max_streams=1))
            clock.now_s += 0.5
            # Those of the last minute, and the two that are looked at next.
            assert len(quotas) <= MINUTE_S / 0.5 + 3
        refusal(quotas, stays)
    assert asked(quotas, stays)


Steps = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cleo"]),
        st.floats(0, 30) | st.floats(0, 0.01) | st.just(0.0),
    ),
    max_size=200,
)


@given(Steps, st.integers(1, 20))
def test_no_window_of_time_holds_more_requests_than_allowed(
    steps: list[tuple[str, float]], per_minute: int
) -> None:
    clock = Clock()
    quotas = Quotas(clock)
    let_in: dict[str, list[float]] = defaultdict(list)
    for name, wait_s in steps:
        clock.now_s += wait_s
        if asked(quotas, Caller(name, requests_per_minute=per_minute)):
            let_in[name].append(clock.now_s)
    for times in let_in.values():
        for first, start_s in enumerate(times):
            for last, end_s in enumerate(times[first:], first):
                allowed = per_minute * (1 + (end_s - start_s) / MINUTE_S)
                assert last - first + 1 <= allowed + 1e-3


@given(Steps, st.integers(1, 20))
def test_whoever_waits_as_told_is_let_in_and_not_a_moment_before(
    steps: list[tuple[str, float]], per_minute: int
) -> None:
    clock = Clock()
    quotas = Quotas(clock)
    for name, wait_s in steps:
        clock.now_s += wait_s
        caller = Caller(name, requests_per_minute=per_minute)
        if asked(quotas, caller):
            continue
        after_s = refusal(quotas, caller).retry_after_s
        assert after_s is not None
        assert 0 < after_s <= MINUTE_S / per_minute + 1e-6
        clock.now_s += after_s * 0.99
        assert not asked(quotas, caller)
        clock.now_s += after_s * 0.01
        assert asked(quotas, caller)


@given(
    st.lists(st.tuples(st.sampled_from(["ann", "bob"]), st.booleans()), max_size=100),
    st.integers(1, 4),
)
def test_streams_at_once_are_never_more_than_allowed_and_never_fewer(
    steps: list[tuple[str, bool]], most: int
) -> None:
    quotas = Quotas(Clock())
    running: dict[str, list[AbstractContextManager[None]]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for name, begins in steps:
        if not begins:
            if running[name]:
                running[name].pop().__exit__(None, None, None)
                counts[name] -= 1
            continue
        stream = quotas.stream(Caller(name, max_streams=most))
        try:
            stream.__enter__()
        except RateLimited:
            assert counts[name] == most
        else:
            running[name].append(stream)
            counts[name] += 1
            assert counts[name] <= most
    for streams in running.values():
        for stream in streams:
            stream.__exit__(None, None, None)
