"""What operators are given - table, dashboard, alerts - speaks of metrics that there are."""

import asyncio
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.promql import Asked, parse
from tests.tts.fake_engine import RATE_HZ, FakeEngine, builders
from tests.tts.test_contract import collect
from tests.tts.test_metrics import fake_torch
from tests.tts.working_engine import WorkingEngine
from tts.config import ServiceConfig
from tts.errors import VoiceNotFound
from tts.service import SynthesisService
from tts.types import SynthesisRequest, Voice

DOCS = Path(__file__).parents[2] / "docs"
# What Prometheus adds to every sample by itself.
TARGET_LABELS = {"instance", "job"}


async def _session() -> str:
    """The exposition of a service to which everything happened once."""
    voices = (Voice("bob", ("en",), RATE_HZ, "fake", state="1"),)
    engines = FakeEngine(voices=voices), WorkingEngine(name="cloned")
    service = SynthesisService(ServiceConfig(), builders(*engines))  # type: ignore[arg-type]
    metrics = service.metrics
    await service.start()
    try:
        for voice in ("ann", "bob", "bob"):
            await collect(service.stream(SynthesisRequest("Hello there.", voice, "en")))
        with pytest.raises(VoiceNotFound):
            await service.synthesize(SynthesisRequest("hi", "eve", "en"))
        metrics.refused("openai", "unauthenticated")
        metrics.watch_jobs(lambda: {"queued": 1})
        metrics.job_ended("ok")
        metrics.heard("fake", "ovr", 3.5)
        metrics.unheard()
        metrics.loop_lag(0.001)
        return metrics.render()
    finally:
        await service.stop()


@cache
def families() -> dict[str, tuple[str, str, set[str], set[str]]]:
    """By the name that queries use for the sum or the gauge: kind, meaning, labels, and the names
    of its samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", fake_torch(utilization=50))
        text = asyncio.run(_session())
    found = {}
    for family in text_string_to_metric_families(text):
        if family.name.endswith("_created"):  # when a series began, of no use to anybody
            continue
        assert family.samples, f"{family.name} has no sample: the session lacks something"
        labels = set().union(*(sample.labels for sample in family.samples)) - {"le"}
        name = family.name + ("_total" if family.type == "counter" else "")
        names = {sample.name for sample in family.samples}
        found[name] = family.type, family.documentation, labels, names
    return found


def known() -> dict[str, set[str]]:
    """Labels of all that can be asked for, by name."""
    return {
        name: labels | ({"le"} if name.endswith("_bucket") else set()) | TARGET_LABELS
        for _, _, labels, names in families().values()
        for name in names
    }


def check(expression: str) -> Asked:
    """Raises `AssertionError` unless it asks for what there is."""
    asked = parse(expression)
    there = known()
    for metric, labels in asked.labels.items():
        assert metric in there, f"no metric {metric!r}: {expression}"
        assert labels <= there[metric], f"{metric} has no {labels - there[metric]}: {expression}"
    grouped = set().union(*(there[metric] for metric in asked.labels))
    assert asked.grouped <= grouped, f"nothing has {asked.grouped - grouped}: {expression}"
    return asked


def rows() -> list[str]:
    """The table of docs/operating.md, as it must be."""
    return [
        f"| `{name}` | {kind} | {', '.join(f'`{one}`' for one in sorted(labels))} | {meaning} |"
        for name, (kind, meaning, labels, _) in families().items()
    ]


def test_the_table_of_metrics_is_the_registry() -> None:
    page = (DOCS / "operating.md").read_text(encoding="utf-8")
    table = [line for line in page.splitlines() if line.startswith("| `parley_tts_")]
    assert table == rows()


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DOCS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    assert group["name"] == "parley-tts"
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is_and_says_what_it_means(rule: dict[str, Any]) -> None:
    assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert re.fullmatch(r"ParleyTts\w+", rule["alert"])
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
    assert rule["labels"]["severity"] in ("page", "ticket")
    asked = check(rule["expr"])
    assert asked.labels, "a rule that asks for nothing never changes"
    words = " ".join(rule["annotations"].values())
    # A summary names only labels that the expression leaves.
    used = set(re.findall(r"\$labels\.(\w+)", words))
    assert used <= asked.grouped | set().union(*(known()[name] for name in asked.labels))
    assert rule["annotations"]["summary"].endswith(".")


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names)) == 17


def dashboard() -> dict[str, Any]:
    board: dict[str, Any] = json.loads((DOCS / "grafana" / "parley-tts.json").read_text("utf-8"))
    return board


def test_every_panel_asks_its_data_source_for_what_there_is() -> None:
    asked_for: set[str] = set()
    for panel in dashboard()["panels"]:
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "5m")
            expression = re.sub(r"\$(door|engine)\b", ".*", expression)
            assert "$" not in expression, f"{panel['title']}: an unknown variable"
            asked = check(expression)
            asked_for |= set(asked.labels)
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            there = set().union(*(known()[metric] for metric in asked.labels))
            assert named <= there, f"{panel['title']}: {named - there}"
    # All that there is can be seen, but for when the process began and its virtual memory.
    shown = {
        name
        for name, (_, _, _, names) in families().items()
        if names & asked_for or name in asked_for
    }
    assert set(families()) - shown == {
        "parley_tts_process_start_time_seconds",
        "parley_tts_process_virtual_memory_bytes",
    }


def test_panels_have_ids_and_places_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        area = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not area & cells, panel["title"]
        cells |= area


def test_the_data_source_and_what_is_looked_at_can_be_chosen() -> None:
    board = dashboard()
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert list(variables) == ["datasource", "door", "engine"]
    assert variables["datasource"]["type"] == "datasource"
    for name in ("door", "engine"):
        assert (
            variables[name]["query"]["query"] == f"label_values(parley_tts_requests_total, {name})"
        )
    # Grafana gives a board without an id its own, and one with the same uid a new version.
    assert (board["id"], board["uid"]) == (None, "parley-tts")
