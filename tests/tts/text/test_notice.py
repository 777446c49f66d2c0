"""Tables made from other projects' work are credited."""

from pathlib import Path

import tts.text

ROOT = Path(tts.text.__file__).parents[2]


def test_every_table_in_the_package_is_named_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    tables = sorted((ROOT / "tts" / "text" / "data").iterdir())
    assert [table.name for table in tables] == [
        "ja_counters.txt",
        "ko_idioms.txt",
        "symbols.json",
    ]
    assert [table.name for table in tables if table.name not in notice] == []


def test_everything_that_the_notice_names_is_there() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    firsts = [line.split()[0] for line in notice.splitlines() if line.startswith("  ")]
    named = [first for first in firsts if "/" in first]
    assert len(named) >= 8
    assert [name for name in named if not (ROOT / name).exists()] == []
