"""The reader of rules takes what is PromQL, and nothing else."""

import re

import pytest

from tests.promql import parse


def test_metrics_and_labels_are_found_wherever_they_stand() -> None:
    asked = parse(
        'sum by (le, door) (rate(a_total{code!~"ok|no", door="x"}[5m])) / scalar(b) > 0.5'
        " and on (instance) (c or vector(0)) == 1e3"
    )
    assert asked.labels == {"a_total": {"code", "door"}, "b": set(), "c": set()}
    assert asked.grouped == {"le", "door", "instance"}


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "sum(a",
        "sum(a))",
        "rate(a)",
        "rate(a[5m]",
        "sum(a[5m])",
        "a[5m] > 1",
        "a{b}",
        "a{b=c}",
        'a{b=~"("}',
        "a b",
        "a and 1",
        "a and 1 + 2",
        "1 > 2",
        "histogram_quantile(a, 0.5)",
        "quantile_of(a)",
        "a > ",
        "sum by le (a)",
        "a{b='c'}",
    ],
)
def test_what_is_no_promql_is_refused(broken: str) -> None:
    with pytest.raises((ValueError, re.error)):
        parse(broken)
