"""How hypothesis runs here: a busy machine is no failure."""

from hypothesis import settings

quick = settings(max_examples=60, deadline=None)
