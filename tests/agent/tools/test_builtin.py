import json
from datetime import UTC, datetime

import pytest

from agent.llm.types import ToolCall
from agent.phrases import PHRASES
from agent.speakable import speakable
from agent.tools.builtin import builtin_registry
from agent.tools.registry import ToolContext, ToolResult
from tests.virtual_time import run

NOON_UTC = datetime(2026, 11, 21, 12, 5, tzinfo=UTC)


def use(name: str, language: str = "en", **arguments: str) -> ToolResult:
    registry = builtin_registry()
    box = registry.toolbox(registry.names, ToolContext("c", language, lambda: NOON_UTC))
    return run(box.call(ToolCall("t", name, json.dumps(arguments))))


def test_the_time_here():
    assert use("tell_time").content == "It is 12:05 PM on Saturday, November 21."


@pytest.mark.parametrize("name", ["Asia/Tokyo", "asia/tokyo", "Tokyo", " tokyo "])
def test_the_time_elsewhere_by_zone_or_city(name):
    expected = "It is 9:05 PM on Saturday, November 21 in Tokyo."
    assert use("tell_time", timezone=name).content == expected


def test_a_city_of_two_words():
    expected = "It is 7:05 AM on Saturday, November 21 in New York."
    assert use("tell_time", timezone="New York").content == expected


@pytest.mark.parametrize(
    ("language", "spoken"),
    [
        ("zh", "现在是11月21日星期六，中午12点5分。"),
        ("yue", "而家係11月21日星期六，中午12點5分。"),
        ("ja", "11月21日土曜日、午後0時5分です。"),
        ("ko", "11월 21일 토요일, 오후 12시 5분입니다."),
    ],
)
def test_the_time_in_other_languages(language, spoken):
    assert use("tell_time", language).content == spoken
    assert speakable(spoken, language) == spoken


def test_an_unknown_zone_is_answered_with_the_nearest():
    result = use("tell_time", timezone="Tokio")
    assert not result.ok
    assert "unknown time zone 'Tokio'" in result.content
    assert "Asia/Tokyo" in result.content


def test_a_hostile_zone_is_only_unknown():
    assert not use("tell_time", timezone="../../etc/passwd").ok


def test_ending_the_call_is_a_flag_of_the_result():
    result = use("end_call")
    assert result.ok
    assert result.ends_call


def test_every_filler_is_a_phrase():
    registry = builtin_registry()
    box = registry.toolbox(registry.names, ToolContext("c", "en"))
    assert {box.filler(ToolCall("t", name, "")) for name in registry.names} <= set(PHRASES)
