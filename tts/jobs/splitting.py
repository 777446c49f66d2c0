"""A long text cut into passages that the service takes, one request each.

In: a text, and where the last passage ended.  Out: where the next one ends.  Passages follow each
other without a gap: joined they are the text.  Pure; any thread.
"""

import re

from tts.text.split import parts

_PARAGRAPH = re.compile(r"\n\s*\n\s*")


def passage_end(text: str, start: int, max_chars: int) -> int:
    """End of the passage that begins at `start`, at most `max_chars` later.

    Looks at no more than that of the text.  Ends, by preference: with the text, a paragraph (one
    that leaves no short passage), a sentence, a clause, a word, anywhere.
    """
    if len(text) - start <= max_chars:
        return len(text)
    window = text[start : start + max_chars]
    paragraphs = [match.end() for match in _PARAGRAPH.finditer(window, max_chars // 2)]
    if paragraphs and paragraphs[-1] < max_chars:
        return start + paragraphs[-1]
    # What the last part is of, the window may have cut off: it begins the next passage.
    shortest = max(1, max_chars // 2)
    later = [
        part
        for part in parts(window, first_chars=shortest, max_chars=shortest)
        if part.span.start > 0
    ]
    sentences = [part.span.start for part in later if part.begins_sentence]
    if sentences:
        return start + sentences[-1]
    if later:
        return start + later[-1].span.start
    return start + max_chars
