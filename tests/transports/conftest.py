"""Hypothesis judges results here, not how long a shared machine took for them."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
