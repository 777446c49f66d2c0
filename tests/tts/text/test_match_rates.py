"""The frontends say what upstream's say; slow to load, so on the real floor."""

import pytest

from bench.frontend import GOLDEN, LANGUAGES, files_here, measure

pytestmark = pytest.mark.real

# Shares of rows that match exactly.
FLOORS = {
    "en": {"en": 1.0, "en_two_readings": 1.0},
    "zh": {"zh": 1.0, "zh_g2pw_answers": 1.0},
    "mixed": {"mixed": 1.0, "mixed_detector": 1.0},
    "cut": {"cut": 1.0},
    "yue": {"yue": 1.0},
    "ko": {"ko": 1.0},
    "ja": {"ja": 1.0, "ja_plus": 1.0, "ja_own_dictionary": 0.5},
}
# Its rows hold no answers of pyopenjtalk-plus by itself.  One of 411 Japanese texts differs: that
# package's MeCab never joins the last of several Chinese numerals to what follows it ("二十月").
FLOORS_OF_OUR_OWN = FLOORS | {"ja": {"ja": 0.997}}


def below(floors: dict[str, float], metrics: dict[str, float | None]) -> list[str]:
    return [name for name in floors if (metrics[f"match_rate_{name}"] or 0) < floors[name]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_matches_the_stored_rows(language: str) -> None:
    metrics = measure([language], files_here(), GOLDEN)
    assert below(FLOORS[language], metrics) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_matches_the_rows_of_sentences_of_our_own(language: str) -> None:
    metrics = measure([language], files_here(), GOLDEN / "more")
    assert below(FLOORS_OF_OUR_OWN[language], metrics) == []
