"""English words found in a normalised text.

In: text of letters, spaces and the marks `'.,?!-`.  Out: its words and marks in order, without
the spaces, cut as NLTK's TweetTokenizer cuts such text: "don't" and "mother-in-law" are words,
"jane.doe" looks like the name of a web site and stays whole.  Pure.
"""

import re

_WORD = re.compile(
    r"""
      (?<!@)[a-z]+(?:[.\-][a-z]+)*\.[a-z]{2,13}\b(?!@)   # a web site
    | [a-z](?:[a-z'\-])+[a-z]                            # a word, with what may stand inside it
    | [a-z]+
    | \.(?:\s*\.)+                                       # dots that trail off
    | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)


def words(text: str) -> list[str]:
    """Words and marks in order."""
    return _WORD.findall(text)
