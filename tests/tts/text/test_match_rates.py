"""The frontends say what upstream's say; slow to load, so on the real floor."""

import pytest

from bench.frontend import GOLDEN, LANGUAGES, files_here, measure

pytestmark = pytest.mark.real

# Shares of rows that match exactly.
FLOORS = {
    "en": {"en": 1.0, "en_two_readings": 1.0},
    "zh": {"zh": 1.0, "zh_g2pw_answers": 1.0},
    "mixed": {"mixed": 1.0, "mixed_detector": 0.98},
    "cut": {"cut": 1.0},
    "yue": {"yue": 1.0},
    "ko": {"ko": 1.0},
    "ja": {"ja": 1.0, "ja_plus": 1.0, "ja_own_dictionary": 0.5},
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_matches_the_stored_rows(language: str) -> None:
    metrics = measure([language], files_here(), GOLDEN)
    rates = {name: metrics[f"match_rate_{name}"] for name in FLOORS[language]}
    below = {name: rate for name, rate in rates.items() if (rate or 0) < FLOORS[language][name]}
    assert below == {}
