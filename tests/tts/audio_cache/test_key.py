"""Which requests share their audio, and which must not."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.audio_cache.key import key_of
from tts.types import SynthesisRequest, Voice

VOICE = Voice("ann", ("en", "zh"), 24_000, "fake", "a voice", ("calm", "happy"), "state 1")
REQUEST = SynthesisRequest("Hello there.", "ann", "en")
RATE_HZ = 24_000

# Every field of a request must stand here: what it may be changed to, so that it sounds otherwise.
CHANGES: dict[str, Any] = {
    "text": "Hello there!",
    "voice": "bob",
    "language": "zh",
    "speed": 1.1,
    "emotion": "happy",
    "marks": ("phone",),
    "seed": 7,
    "top_k": 5,
    "top_p": 0.9,
    "temperature": 0.5,
    "repetition_penalty": 1.2,
}


def key(request: SynthesisRequest, **changes: Any) -> str:
    voice = replace(VOICE, id=request.voice)
    return key_of(request, replace(voice, **changes), RATE_HZ)


def test_a_key_is_64_hexadecimal_digits_and_stays_what_it_is() -> None:
    # A key that changes without reason makes every folder worthless.
    assert key(REQUEST) == "03260b0029ea260609daa69775c913bd442c8d1e0b58ea5b480cccea93e609ec"


def test_every_field_of_a_request_is_known_here() -> None:
    assert set(CHANGES) == {field.name for field in fields(SynthesisRequest)}


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_of_a_request_changes_the_key(field: str) -> None:
    assert key(replace(REQUEST, **{field: CHANGES[field]})) != key(REQUEST)


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [("seed", None, 0), ("top_p", None, 0.0), ("temperature", 0.5, 0.25), ("seed", 1, 2)],
)
def test_unset_is_not_zero_and_no_two_values_are_one(field: str, one: Any, other: Any) -> None:
    first, second = (replace(REQUEST, **{field: value}) for value in (one, other))
    assert key(first) != key(second)


@pytest.mark.parametrize(
    ("field", "value"),
    [("state", "state 2"), ("engine", "other"), ("id", "eve"), ("emotions", ("happy", "calm"))],
)
def test_another_voice_or_the_same_made_of_something_else_changes_the_key(
    field: str, value: Any
) -> None:
    assert key(REQUEST, **{field: value}) != key(REQUEST)


def test_another_sample_rate_changes_the_key() -> None:
    assert key_of(REQUEST, VOICE, 8000) != key_of(REQUEST, VOICE, RATE_HZ)


@pytest.mark.parametrize(
    ("field", "value"),
    [("description", "said otherwise"), ("languages", ("en",)), ("sample_rate_hz", 16_000)],
)
def test_what_is_only_said_of_a_voice_does_not(field: str, value: Any) -> None:
    assert key(REQUEST, **{field: value}) == key(REQUEST)


@pytest.mark.parametrize(
    "same",
    [
        replace(REQUEST, emotion="calm"),
        replace(REQUEST, speed=1),
        replace(REQUEST, text="Hello\u200bthere."),
        replace(REQUEST, marks=("word",)),
    ],
    ids=["the first emotion", "an integer", "what is no text", "marks of words"],
)
def test_what_sounds_the_same_is_the_same(same: SynthesisRequest) -> None:
    assert key(same) == key(REQUEST)


def test_kinds_of_marks_are_a_set() -> None:
    one, other = ("phone", "viseme"), ("viseme", "phone", "phone")
    assert key(replace(REQUEST, marks=one)) == key(replace(REQUEST, marks=other))


def test_half_a_surrogate_pair_has_a_key_too() -> None:
    assert key(replace(REQUEST, text="a\ud800")) != key(replace(REQUEST, text="a\ud801"))


REQUESTS = st.builds(
    SynthesisRequest,
    text=st.text('ab", :{}\u200b', max_size=4),
    voice=st.sampled_from(["ann", "bob"]),
    language=st.text('en",', max_size=3),
    speed=st.sampled_from([0.5, 1.0, 2.0]),
    emotion=st.sampled_from(["happy", "calm"]),
    seed=st.none() | st.integers(0, 3),
)


@quick
@given(REQUESTS, REQUESTS)
def test_keys_are_equal_exactly_where_requests_are(
    one: SynthesisRequest, other: SynthesisRequest
) -> None:
    cleaned = [replace(r, text=r.text.replace("\u200b", " ")) for r in (one, other)]
    assert (key(one) == key(other)) == (cleaned[0] == cleaned[1])
