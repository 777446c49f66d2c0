"""Enough of PromQL's grammar to read our own rules: https://prometheus.io/docs/prometheus/latest/querying/

In: an expression.  Out: the metrics it asks for, with the labels it names of each.  Anything that
is not understood raises `ValueError`, so that a slip of the pen does.
"""

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w:]))
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<range>\[\d+[smhdw]\])
  | (?P<name>[A-Za-z_:][\w:]*)
  | (?P<op>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){},])
  )""",
    re.VERBOSE,
)
_AGGREGATIONS = {"sum", "avg", "min", "max", "count"}
# Functions, and of what their arguments are: r(ange), i(nstant), s(calar).
_FUNCTIONS = {
    "rate": "r",
    "increase": "r",
    "deriv": "r",
    "absent": "i",
    "clamp_min": "is",
    "histogram_quantile": "si",
    "scalar": "i",
    "time": "",
    "vector": "s",
}
# From the loosest to the tightest.
_OPERATORS = (
    {"or"},
    {"and", "unless"},
    {"==", "!=", "<=", ">=", "<", ">"},
    {"+", "-"},
    {"*", "/", "%"},
    {"^"},
)


@dataclass
class Asked:
    """What an expression asks for."""

    labels: dict[str, set[str]] = field(default_factory=dict)
    """By metric: the labels it is selected by."""
    grouped: set[str] = field(default_factory=set)
    """Labels that are grouped or matched by."""


def parse(expression: str) -> Asked:
    """Raises `ValueError` for what is no PromQL, as far as we use it."""
    reader = _Reader(expression)
    reader.expression()
    if reader.token:
        raise ValueError(f"unexpected {reader.token!r} in {expression!r}")
    return reader.asked


class _Reader:
    def __init__(self, text: str) -> None:
        self.asked = Asked()
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise ValueError(f"not understood: {text[at:]!r}")
            assert match.lastgroup is not None
            self._tokens.append((match.lastgroup, match.group(match.lastgroup)))
            at = match.end()

    @property
    def token(self) -> str:
        return self._tokens[0][1] if self._tokens else ""

    @property
    def kind(self) -> str:
        return self._tokens[0][0] if self._tokens else ""

    def take(self, *expected: str) -> str:
        """The next token, if it is one of these."""
        if not self._tokens or (expected and self.token not in expected):
            raise ValueError(f"expected {' or '.join(expected) or 'more'}, got {self.token!r}")
        return self._tokens.pop(0)[1]

    def expression(self, level: int = 0) -> str:
        """Returns what it is: "r", "i" or "s"."""
        if level == len(_OPERATORS):
            return self._operand()
        kind = self.expression(level + 1)
        while self.token in _OPERATORS[level]:
            operator = self.take()
            if self.token in ("on", "ignoring"):
                self.take()
                self._labels()
            other = self.expression(level + 1)
            if "r" in (kind, other):
                raise ValueError(f"a range cannot be an operand of {operator}")
            if level < 2 and "s" in (kind, other):
                raise ValueError(f"a number cannot be an operand of {operator}")
            if level == 2 and (kind, other) == ("s", "s"):
                raise ValueError("numbers can be compared with `bool` only")
            kind = "i" if "i" in (kind, other) else "s"
        return kind

    def _operand(self) -> str:
        if self.kind == "number":
            self.take()
            return "s"
        if self.token == "(":
            self.take()
            kind = self.expression()
            self.take(")")
            return kind
        if self.kind != "name":
            raise ValueError(f"expected an operand, got {self.token!r}")
        name = self.take()
        if name in _AGGREGATIONS:
            return self._aggregation()
        if self.token == "(":
            return self._call(name)
        return self._selector(name)

    def _aggregation(self) -> str:
        if self.token in ("by", "without"):
            self.take()
            self._labels()
        self.take("(")
        if self.expression() != "i":
            raise ValueError("only instants can be aggregated")
        self.take(")")
        return "i"

    def _call(self, name: str) -> str:
        if name not in _FUNCTIONS:
            raise ValueError(f"no function {name!r}")
        self.take("(")
        for number, wanted in enumerate(_FUNCTIONS[name]):
            if number:
                self.take(",")
            if (kind := self.expression()) != wanted:
                raise ValueError(f"argument {number + 1} of {name} is {kind!r}, not {wanted!r}")
        self.take(")")
        return "s" if name in ("time", "scalar") else "i"

    def _selector(self, name: str) -> str:
        labels = self.asked.labels.setdefault(name, set())
        if self.token == "{":
            self.take()
            while self.token != "}":
                labels.add(self.take())
                operator = self.take("=", "!=", "=~", "!~")
                if self.kind != "string":
                    raise ValueError(f"a label's value is a string, not {self.token!r}")
                value = self.take()
                if operator.endswith("~"):
                    re.compile(value.strip('"'))
                if self.token == ",":
                    self.take()
            self.take("}")
        if self.kind == "range":
            self.take()
            return "r"
        return "i"

    def _labels(self) -> None:
        self.take("(")
        while self.token != ")":
            if self.kind != "name":
                raise ValueError(f"a label is a name, not {self.token!r}")
            self.asked.grouped.add(self.take())
            if self.token == ",":
                self.take()
        self.take(")")
