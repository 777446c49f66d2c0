"""The tools that come with the daemon: tell the time, end the call."""

import difflib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from agent.tools.registry import ToolContext, ToolError, ToolRegistry, ToolResult

_WEEKDAYS = {
    "zh": "一二三四五六日",
    "yue": "一二三四五六日",
    "ja": "月火水木金土日",
    "ko": "월화수목금토일",
}


def builtin_registry() -> ToolRegistry:
    """Return a registry with every tool of this module."""
    _time_zones()  # reads the disk once, before any call
    registry = ToolRegistry()
    registry.add(tell_time, timeout_s=5.0)
    registry.add(end_call, timeout_s=5.0)
    return registry


async def tell_time(context: ToolContext, timezone: str = "") -> str:
    """Tell the present date and time.

    Args:
        timezone: IANA name such as "Asia/Tokyo", or a city such as "Tokyo". Empty for the local
            time of this service.
    """
    now = context.now()
    place = ""
    if timezone.strip():
        name = _find_timezone(timezone)
        now = now.astimezone(ZoneInfo(name))
        place = name.rsplit("/", 1)[-1].replace("_", " ")
    return _speak_time(now, place, context.language)


async def end_call(context: ToolContext) -> ToolResult:
    """End the phone call. Use it when the caller says goodbye or asks to hang up."""
    return ToolResult("Say a short goodbye now; the call ends after it.", ends_call=True)


def _find_timezone(wanted: str) -> str:
    """Return the IANA name for a name or a city.  Raises `ToolError` with the nearest ones."""
    key = wanted.strip().replace(" ", "_").lower()
    by_key, by_city = _time_zones()
    if found := by_key.get(key) or by_city.get(key):
        return found
    near = difflib.get_close_matches(key, [*by_city, *by_key], n=3)
    names = ", ".join((by_city.get(name) or by_key[name]) for name in near)
    hint = f"; the nearest are {names}" if names else '; use an IANA name such as "Asia/Tokyo"'
    raise ToolError(f"unknown time zone {wanted!r}{hint}")


@cache
def _time_zones() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the IANA names by their lower case, and by their city."""
    by_key = {name.lower(): name for name in available_timezones()}
    by_city: dict[str, str] = {}
    for name in sorted(by_key.values()):
        if "/" in name:
            by_city.setdefault(name.rsplit("/", 1)[-1].lower(), name)
    return by_key, by_city


def _speak_time(now: datetime, place: str, language: str) -> str:
    """Say a time the way people do, in digits that every voice's frontend reads well."""
    day, month = now.day, now.month
    weekday = _WEEKDAYS.get(language, "")[now.weekday() : now.weekday() + 1]
    hour, minute = now.hour % 12 or 12, now.minute
    if language in ("zh", "yue"):
        now_is, hours = ("现在是", "点") if language == "zh" else ("而家係", "點")
        at = f"{_part_of_day(now.hour)}{hour}{hours}" + (f"{minute}分" if minute else "整")
        return f"{place}{now_is}{month}月{day}日星期{weekday}，{at}。"
    if language == "ja":
        at = f"{'午前' if now.hour < 12 else '午後'}{now.hour % 12}時{minute}分"
        return f"{place + 'は' if place else ''}{month}月{day}日{weekday}曜日、{at}です。"
    if language == "ko":
        at = f"{'오전' if now.hour < 12 else '오후'} {hour}시 {minute}분"
        return f"{place + '은 ' if place else ''}{month}월 {day}일 {weekday}요일, {at}입니다."
    at = f"{hour}:{minute:02d} {'AM' if now.hour < 12 else 'PM'}"
    where = f" in {place}" if place else ""
    return f"It is {at} on {now:%A}, {now:%B} {day}{where}."


def _part_of_day(hour: int) -> str:
    for end, name in ((6, "凌晨"), (12, "上午"), (13, "中午"), (18, "下午"), (24, "晚上")):
        if hour < end:
            return name
    raise ValueError(f"no such hour: {hour}")
