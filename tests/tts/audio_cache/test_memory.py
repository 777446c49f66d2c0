"""Recordings in memory: bounded, and what was not asked for longest goes first."""

from hypothesis import given
from hypothesis import strategies as st

from tests.tts.audio_cache.recordings import recording
from tests.tts.properties import quick
from tts.audio_cache.memory import MemoryCache

STEPS = st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 60)), max_size=60)
MOST_BYTES = 100


class Model:
    """The same, as simple as can be: a list, the key that was asked for last at its end."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, int]] = []

    def get(self, key: str) -> int | None:
        for index, (its, samples) in enumerate(self.kept):
            if its == key:
                self.kept.append(self.kept.pop(index))
                return samples
        return None

    def put(self, key: str, samples: int) -> int:
        if 2 * samples > MOST_BYTES:
            return 0
        self.kept = [(its, size) for its, size in self.kept if its != key] + [(key, samples)]
        gone = 0
        while sum(2 * size for _, size in self.kept) > MOST_BYTES:
            self.kept.pop(0)
            gone += 1
        return gone


@quick
@given(STEPS)
def test_it_does_as_a_list_would_that_is_kept_in_order(steps: list[tuple[str, int | None]]) -> None:
    cache, model = MemoryCache(MOST_BYTES), Model()
    for key, samples in steps:
        if samples is None:
            found = cache.get(key)
            assert (found and len(found.pcm) // 2) == model.get(key)
        else:
            assert cache.put(key, recording(samples)) == model.put(key, samples)
        assert cache.size_bytes == sum(2 * size for _, size in model.kept) <= MOST_BYTES


def test_what_alone_is_over_the_bound_is_not_kept_and_pushes_nothing_out() -> None:
    cache = MemoryCache(MOST_BYTES)
    cache.put("a", recording(40))
    assert cache.put("b", recording(51)) == 0
    assert cache.get("a") == recording(40)
    assert cache.get("b") is None


def test_without_memory_nothing_is_kept() -> None:
    cache = MemoryCache(0)
    cache.put("a", recording(1))
    assert cache.get("a") is None
