"""Voices in memory: what goes for what (pure), and loading on a thread of its own (fakes)."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.errors import EngineFailed, Overloaded
from tts.voices.cache import MB, Ledger, Part, VoiceCache

# Two voices on one base, one with weights of its own, one that is too large for anything.
VOICES: dict[str, Mapping[str, int]] = {
    "ann": {"base": 300, "vits": 100, "ann": 2},
    "bob": {"base": 300, "vits": 100, "bob": 2},
    "cat": {"base": 300, "other": 150, "cat": 2},
    "dog": {"t2s of dog": 250, "vits of dog": 100, "dog": 2},
    "huge": {"t2s of huge": 9000},
}


def parts_of(voice: str, load: Callable[[str], object] = str) -> tuple[Part, ...]:
    return tuple(Part(key, size * MB, partial(load, key)) for key, size in VOICES[voice].items())


def idle(_: str) -> bool:
    return False


# The policy.


def test_a_part_of_two_voices_counts_once() -> None:
    ledger = Ledger(1000 * MB)
    ledger.admit("ann", parts_of("ann"), idle)
    ledger.admit("bob", parts_of("bob"), idle)
    assert ledger.used_bytes == 404 * MB
    assert ledger.keys == {"base", "vits", "ann", "bob"}


def test_the_voice_used_longest_ago_goes_and_no_more_than_need_to() -> None:
    ledger = Ledger(560 * MB)
    for voice in ("ann", "bob", "cat"):
        assert ledger.admit(voice, parts_of(voice), idle) == []
    ledger.touch("ann")
    assert ledger.voices == ("bob", "cat", "ann")
    # Without bob, cat and ann still fill the budget; without cat, dog fits only once ann goes too.
    assert ledger.admit("dog", parts_of("dog"), idle) == ["bob", "cat", "ann"]
    assert ledger.voices == ("dog",)


def test_a_voice_in_use_stays() -> None:
    ledger = Ledger(800 * MB)
    ledger.admit("ann", parts_of("ann"), idle)
    ledger.admit("dog", parts_of("dog"), idle)
    assert ledger.admit("cat", parts_of("cat"), lambda voice: voice == "ann") == ["dog"]


def test_no_room_beside_voices_in_use_is_refused_with_both_sizes_and_nothing_goes() -> None:
    ledger = Ledger(560 * MB)
    for voice in ("ann", "bob"):
        ledger.admit(voice, parts_of(voice), idle)
    with pytest.raises(Overloaded) as caught:
        ledger.admit("dog", parts_of("dog"), lambda voice: voice == "ann")
    assert str(caught.value) == (
        "voice 'dog' needs 352 MB more, and voices in use hold 402 MB of the budget of 560 MB"
    )
    assert ledger.voices == ("ann", "bob")


def test_a_voice_larger_than_the_budget_is_refused_with_both_sizes() -> None:
    with pytest.raises(EngineFailed, match="'huge' needs 9000 MB, and the budget .* is 560 MB"):
        Ledger(560 * MB).admit("huge", parts_of("huge"), idle)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "touch", "remove"]),
        st.sampled_from("uvwxyz"),
        st.sets(st.sampled_from(range(6)), min_size=1, max_size=4),
        st.sets(st.sampled_from("uvwxyz")),
    ),
    max_size=25,
)


@quick
@given(budget=st.integers(1, 60), steps=STEPS)
def test_whatever_happens_the_budget_holds_and_voices_in_use_stay(
    budget: int, steps: list[tuple[str, str, set[int], set[str]]]
) -> None:
    ledger = Ledger(budget)
    for action, voice, kinds, in_use in steps:
        before = ledger.voices
        if action == "touch":
            ledger.touch(voice)
            assert sorted(ledger.voices) == sorted(before)
        elif action == "remove":
            ledger.remove(voice)
            assert voice not in ledger.voices
        elif voice not in before:
            # Each kind of part has a size of its own.
            parts = [Part(f"part {kind}", 3 * kind + 1, int) for kind in sorted(kinds)]
            try:
                gone = ledger.admit(voice, parts, in_use.__contains__)
            except (EngineFailed, Overloaded):
                assert ledger.voices == before
            else:
                assert not set(gone) & in_use
                assert gone == [one for one in before if one not in in_use][: len(gone)]
                assert ledger.voices == (*(one for one in before if one not in gone), voice)
        assert ledger.used_bytes <= budget


# The thread.


class FakeLoader:
    """Counts what it loads; waits at a gate, and fails, when told to."""

    def __init__(self, *, gated: bool = False) -> None:
        self.loads: Counter[str] = Counter()
        self.threads: set[str] = set()
        self.failures: dict[str, Exception] = {}
        self.begun = threading.Event()
        self.gate = threading.Semaphore(0 if gated else 10_000)

    def parts(self, voice_id: str) -> Sequence[Part]:
        return parts_of(voice_id, self._load)

    def _load(self, key: str) -> object:
        self.threads.add(threading.current_thread().name.rsplit("_", 1)[0])
        self.begun.set()
        self.gate.acquire()
        if key in self.failures:
            raise self.failures[key]
        self.loads[key] += 1
        return [key]

    def assemble(self, voice_id: str, parts: Sequence[object]) -> tuple[object, ...]:
        return (voice_id, *parts)


Cache = VoiceCache[str, tuple[object, ...]]


@contextmanager
def cached(loader: FakeLoader, budget_mb: int = 1000) -> Iterator[Cache]:
    cache: Cache = VoiceCache(loader, budget_bytes=budget_mb * MB)
    try:
        yield cache
    finally:
        loader.gate.release(10_000)
        cache.close()


def settle(cache: Cache) -> None:
    """Wait for all that the cache's thread has to do by now."""
    cache._thread.submit(int).result(10)


def test_two_voices_share_the_very_same_parts() -> None:
    loader = FakeLoader()
    with cached(loader) as cache, cache.lease("ann") as ann, cache.lease("bob") as bob:
        first, second = ann.loading.result(10), bob.loading.result(10)
        assert first[0] == "ann"
        assert first[1] is second[1]
        assert first[2] is second[2]
        assert loader.loads == {"base": 1, "vits": 1, "ann": 1, "bob": 1}
        assert loader.threads == {"tts-voices"}


def test_many_who_want_one_cold_voice_at_once_load_it_once() -> None:
    loader = FakeLoader(gated=True)
    barrier = threading.Barrier(16)

    def want(_: int) -> tuple[object, ...]:
        barrier.wait(10)
        with cache.lease("ann") as lease:
            loader.gate.release()
            return lease.loading.result(10)

    with cached(loader) as cache, ThreadPoolExecutor(16) as pool:
        voices = list(pool.map(want, range(16)))
    assert len({id(voice) for voice in voices}) == 1
    assert loader.loads == {"base": 1, "vits": 1, "ann": 1}


def test_wanting_a_cold_voice_returns_at_once() -> None:
    loader = FakeLoader(gated=True)
    with cached(loader) as cache, cache.lease("ann") as lease:
        assert not lease.loading.done()
        with pytest.raises(TimeoutError):
            _ = lease.voice
        loader.gate.release(3)
        lease.loading.result(10)
        assert lease.voice[0] == "ann"


def test_a_failure_reaches_all_who_wait_and_the_next_request_tries_again() -> None:
    loader = FakeLoader(gated=True)
    loader.failures = {"vits": EngineFailed("damaged")}
    with cached(loader) as cache:
        leases = [cache.lease("ann") for _ in range(3)]
        loader.gate.release(2)
        for lease in leases:
            assert str(lease.loading.exception(10)) == "damaged"
            with pytest.raises(EngineFailed, match="damaged"):
                _ = lease.voice
        assert cache.voices == ()
        loader.failures = {}
        loader.gate.release(3)
        with cache.lease("ann") as again:
            assert again.loading.result(10)[0] == "ann"
        assert loader.loads == {"base": 2, "vits": 1, "ann": 1}


def test_room_is_made_by_voices_that_nobody_uses() -> None:
    loader = FakeLoader()
    with cached(loader, budget_mb=560) as cache:
        with cache.lease("ann") as ann:
            ann.loading.result(10)
            with cache.lease("dog") as refused:
                assert isinstance(refused.loading.exception(10), Overloaded)
            assert cache.voices == ("ann",)
        with cache.lease("dog") as dog:
            dog.loading.result(10)
        assert cache.voices == ("dog",)
        with cache.lease("bob") as bob:
            bob.loading.result(10)
    assert loader.loads["base"] == 2


def test_a_part_that_stays_needed_is_not_loaded_again() -> None:
    loader = FakeLoader()
    with cached(loader, budget_mb=555) as cache:
        for voice in ("ann", "cat"):
            with cache.lease(voice) as lease:
                lease.loading.result(10)
        with cache.lease("bob") as bob:
            bob.loading.result(10)
    assert loader.loads == {"base": 1, "vits": 1, "ann": 1, "other": 1, "cat": 1, "bob": 1}


def test_releasing_twice_counts_once() -> None:
    with cached(FakeLoader(), budget_mb=560) as cache, cache.lease("ann") as held:
        held.loading.result(10)
        other = cache.lease("ann")
        other.release()
        other.release()
        with cache.lease("dog") as refused:
            assert isinstance(refused.loading.exception(10), Overloaded)


def test_what_nobody_waits_for_any_more_stays_as_an_idle_voice() -> None:
    loader = FakeLoader(gated=True)
    with cached(loader, budget_mb=560) as cache:
        gone = cache.lease("ann")
        gone.release()
        loader.gate.release(100)
        gone.loading.result(10)
        assert cache.voices == ("ann",)
        with cache.lease("dog") as dog:
            assert dog.loading.result(10)[0] == "dog"


def test_voices_are_loaded_beforehand_in_order_as_far_as_the_budget_goes() -> None:
    loader = FakeLoader()
    with cached(loader, budget_mb=560) as cache:
        cache.preload(["ann", "dog", "bob"])
        assert cache.voices == ("ann", "bob")
        assert "t2s of dog" not in loader.loads
        # None of them is held for good.
        with cache.lease("dog") as dog:
            dog.loading.result(10)
        assert cache.voices == ("dog",)


def test_what_is_not_offered_any_more_goes_at_once_with_the_parts_that_nobody_else_has() -> None:
    loader = FakeLoader()
    with cached(loader) as cache:
        cache.preload(["ann", "bob", "cat"])
        cache.offer("bob".__eq__)
        settle(cache)
        assert cache.voices == ("bob",)
        cache.preload(["cat"])
        assert loader.loads["base"] == 1
        assert loader.loads == {
            "base": 1,
            "vits": 1,
            "ann": 1,
            "bob": 1,
            "other": 2,
            "cat": 2,
        }


def test_a_voice_that_is_not_offered_any_more_stays_as_long_as_somebody_speaks_in_it() -> None:
    loader = FakeLoader()
    with cached(loader) as cache:
        held, other = cache.lease("dog"), cache.lease("dog")
        assert held.loading.result(10)[0] == "dog"
        cache.offer("ann".__eq__)
        held.release()
        settle(cache)
        assert cache.voices == ("dog",)
        other.release()
        settle(cache)
        assert cache.voices == ()


def test_a_voice_that_was_never_waited_for_and_is_not_offered_any_more_does_not_stay() -> None:
    loader = FakeLoader(gated=True)
    with cached(loader) as cache:
        cache.offer("ann".__eq__)
        cache.lease("dog").release()
        loader.gate.release(100)
        settle(cache)
        assert loader.loads["dog"] == 1
        assert cache.voices == ()


def test_closing_ends_every_wait_and_takes_no_more() -> None:
    loader = FakeLoader(gated=True)
    cache: Cache = VoiceCache(loader, budget_bytes=1000 * MB)
    under_way = cache.lease("ann")
    assert loader.begun.wait(10)
    waiting = [cache.lease("dog") for _ in range(5)]
    closing = threading.Thread(target=cache.close)
    closing.start()
    loader.gate.release(10_000)
    closing.join(10)
    cache.close()
    assert under_way.voice[0] == "ann"
    assert all(lease.loading.done() for lease in waiting)
    with pytest.raises(EngineFailed, match="are being unloaded"):
        cache.lease("ann")


def test_anything_that_a_loader_raises_ends_the_wait() -> None:
    loader = FakeLoader()
    loader.failures = {"base": KeyError("x")}
    with cached(loader) as cache, cache.lease("ann") as lease:
        assert isinstance(lease.loading.exception(10), KeyError)
