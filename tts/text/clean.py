"""What is not text taken out of a request's text, without moving any other character.

In and out: text of the same length, so that spans of one are spans of the other.
"""

import re

# Control characters, joiners and direction marks, private use, and the byte order mark.
_NOISE = re.compile(
    "[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ue000-\uf8ff\ufeff\ufff9-\uffff]"
)


def clean_text(text: str) -> str:
    """Replace each character that is no text by a space."""
    return _NOISE.sub(" ", text)
