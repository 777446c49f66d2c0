"""Where a reply goes on that was interrupted by nothing.

In: what was ready to be said, and how much of it was heard.  Out: what to say, or to ask of the
model.  Pure.
"""

import re
from dataclasses import dataclass
from typing import Literal

from agent.llm.types import Message

MOST_WORDS_AGAIN = 8
"""A phrase of which more was heard is not said again: it goes on at the next word."""
_CJK_CHARS_A_WORD = 2
"""Of a script without spaces, so many characters count as a word."""

# A clause or sentence begins behind one of these; behind "1,000" and "e.g." nothing does.
_PHRASE_END = re.compile(r"[.!?…,;:—–][\"'”’)\]]*\s+|[。！？，、；：]+[”’」』）]*|\n+")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class CutOff:
    """A reply that broke off."""

    text: str
    """What was ready to be said."""
    heard_chars: int
    """How much of it was heard, in whole words."""
    missing: Literal["", "rest", "answer"] = ""
    """What the model had not written yet: nothing, the rest, or all of the answer."""

    @property
    def unheard(self) -> str:
        """What was not heard."""
        return self.text[self.heard_chars :].strip()

    def from_phrase(self) -> str:
        """What to say after a false alarm: from the last phrase that had begun, or from the word.

        "" when everything was heard.
        """
        if not self.unheard:
            return ""
        heard = self.text[: self.heard_chars]
        # The space, or the closing mark, that follows the last word heard belongs to it.
        rest = self.text[self.heard_chars :]
        heard += rest[: len(rest) - len(rest.lstrip())]
        begins = 0
        for match in _PHRASE_END.finditer(heard):
            begins = match.end()
        if _words(heard[begins:]) > MOST_WORDS_AGAIN:
            begins = self.heard_chars
        return self.text[begins:].strip()


def as_asked(messages: list[Message]) -> list[Message]:
    """The conversation as it was when the answer was asked for: without an opener said since."""
    end = len(messages)
    while end and messages[end - 1]["role"] == "assistant" and messages[end - 1].get("content"):
        end -= 1
    return messages[:end]


def go_on_in_other_words(messages: list[Message], unheard: str) -> list[Message]:
    """Ask the model to say the rest of what it was saying, differently.

    `messages` is the conversation, which ends with what was heard.  `unheard` is "" if nothing more
    of it was written.
    """
    rest = f'You were going to go on: "{unheard}" Say that now in other words, briefly.'
    request = (
        "[A noise interrupted you; nobody said anything. The caller has heard your last message up "
        f"to where it breaks off. {rest if unheard else 'Go on from there.'} "
        "Repeat nothing that was heard, and do not mention the noise.]"
    )
    return [*messages, {"role": "user", "content": request}]


def _words(text: str) -> int:
    found = _WORD.findall(text)
    wide = sum(1 for word in found if len(word) == 1 and word > "\u3000")
    return len(found) - wide + wide // _CJK_CHARS_A_WORD
