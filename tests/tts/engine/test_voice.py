"""How an utterance is spoken: what is out of range is refused, by name and value."""

import pytest

from tts.engine.sampling import Sampling
from tts.engine.voice import Manner
from tts.errors import BadRequest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"speed": 0.0}, "speed is 0.0: a number above 0 is allowed"),
        ({"speed": float("nan")}, "speed is nan"),
        ({"speed": float("inf")}, "speed is inf"),
        ({"noise_scale": -0.1}, "noise_scale is -0.1: 0 or more is allowed"),
        ({"seed": -1}, "seed is -1: 0 to 18446744073709551615 is allowed"),
        ({"seed": 2**64}, "seed is 18446744073709551616"),
    ],
)
def test_a_manner_out_of_range_is_refused(changes: dict[str, float], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        Manner(Sampling(), **changes)  # type: ignore[arg-type]
