"""Chinese as the rest of the house expects it: simplified script.

Whisper writes either script as it pleases.  A prompt in simplified characters does not settle it
and costs accuracy (docs/log.md), so the text is converted afterwards.
"""

from functools import cache

import opencc


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def simplified(text: str) -> str:
    """Traditional characters turned into simplified ones; everything else is kept."""
    return str(_converter().convert(text))
