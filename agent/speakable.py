"""Makes what a language model writes fit to be spoken.

In: its text as it is streamed, in deltas of any length.  Out: the same without markup, with web
addresses and signs in words: one line a sentence, list item or heading.  Stands before
`agent.runs`, because markup straddles pieces.  Knows nothing of voices; reading numbers is theirs.
Pure; one stream for one answer.

The law: the outputs joined are the same however the text was split into deltas.  It holds because
text leaves the buffer only when nothing that may still come can change how it is spoken.  Words
wait for their end; punctuation and CJK characters, after which speech may begin, do not wait.
"""

import html
import re
import unicodedata
from dataclasses import dataclass

from agent.spoken_words import (
    AGENT_LABELS,
    CALENDAR,
    CALLER_LABELS,
    CJK_GESTURES,
    CJK_LANGUAGES,
    CLOCK,
    CURRENCIES,
    FILE_ENDINGS,
    GESTURES,
    PERCENT_FIRST,
    SIGNS,
    STARRED_GESTURES,
    TO,
    TOP_LEVEL_DOMAINS,
    WEB_WORDS,
)

_LATIN = "A-Za-z0-9\u00c0-\u024f"
_WORD = re.compile(rf"[{_LATIN}](?:[{_LATIN}@_+/\-'’.]|(?<=\d)[,:](?=\d))*")
_URL = re.compile(r"(?:https?|ftp)://[^\s<>\"”’'」』）)\]}，。！？；、（【《]*", re.IGNORECASE)
_URL_SCHEMES = ("http", "https", "ftp")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,200}>|<!--[^<>\n]{0,200}-->|<\|[^<>|\n]{1,40}\|>")
_ENDS_ANSWER = re.compile(
    r"<\|(?:im_end|im_start|endoftext|eot_id|end_of_text|end|user|assistant|system)\|>"
    r"|</s>|<end_of_turn>|<start_of_turn>|<eos>"
)
_BREAKS_LINE = re.compile(r"<(?:br|/?p|/?div|/?li|/?h[1-6]|/?tr)\b[^<>]*>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:[A-Za-z]{2,8}|#\d{1,6}|#x[0-9A-Fa-f]{1,5});")
_EMAIL = re.compile(r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+")
_VERSION = re.compile(r"[vV]\d+(?:\.\d+)+|\d+(?:\.\d+){2,}")
_AMOUNT = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_RULE = re.compile(r"(?:[-*_=][ \t]?)*")
_TABLE_RULE = re.compile(r"[|\s:\-]*")

_STOPS = ".!?,;:…。！？，、；："
_CLOSERS = ')]}）」』》〉】”"'
_DROPPED = frozenset("\\^{}]~•◦▪●■□◆★☆※|\ufe0f\ufe0e\u20e3©®™")
_LINK_CHARS = 300
_GESTURE_CHARS = 80


@dataclass(frozen=True, slots=True)
class _Take:
    """So many characters are understood, and this is how they are spoken."""

    chars: int
    say: str = ""


class SpeakableStream:
    """Makes one answer speakable; see the module's docstring."""

    def __init__(self, language: str) -> None:
        """`language` is the persona's; an unknown one is treated as English."""
        self._language = language if language in SIGNS else "en"
        self._cjk = language in CJK_LANGUAGES
        self._signs = SIGNS[self._language]
        self._web = WEB_WORDS[self._language]
        self._buffer = ""
        self._hidden_until = ""
        self._at_line_start = True
        self._in_table = False
        self._last = "\n"
        self._space = False
        self._over = False

    @property
    def over(self) -> bool:
        """Whether the model went past its answer: whatever follows is not spoken."""
        return self._over

    def feed(self, text: str) -> str:
        """Take the next delta; return what it made certain."""
        self._buffer += text
        return self._drain(final=False)

    def flush(self) -> str:
        """The answer is over: return what was still open."""
        return self._drain(final=True)

    def _drain(self, *, final: bool) -> str:
        spoken = ""
        while self._buffer and not self._over:
            take = self._next(self._buffer, final)
            if take is None:
                break
            shown = self._buffer[: take.chars]
            self._buffer = self._buffer[take.chars :]
            if "\n" in shown:
                self._at_line_start = True
            elif shown.strip():
                self._at_line_start = False
            spoken += self._write(take.say)
        if self._over or final:
            self._buffer = ""
        return spoken

    # Writing: one space, no space before a stop, a stop at the end of each line.

    def _write(self, text: str) -> str:
        out = ""
        for char in text:
            if char == "\n":
                out += self._end_line()
            elif char.isspace():
                if self._last in _STOPS:
                    out += self._put(" ")
                elif not self._last.isspace():
                    self._space = True
            else:
                if self._space and char not in _STOPS + _CLOSERS.replace('"', ""):
                    out += self._put(" ")
                self._space = False
                out += self._put(char)
        return out

    def _put(self, char: str) -> str:
        self._last = char
        return char

    def _end_line(self) -> str:
        self._space = False
        if self._last == "\n":
            return ""
        needs_stop = self._last.isalnum() or self._last in _CLOSERS + "%"
        stop = ("。" if self._cjk else ".") if needs_stop else ""
        self._last = "\n"
        return stop + "\n"

    # Reading: what comes next.  None means that it depends on text that is not there yet.

    def _next(self, text: str, final: bool) -> _Take | None:
        if self._hidden_until:
            return self._hidden(text, final)
        char = text[0]
        if char == "\n":
            self._in_table = False
            return _Take(1, "\n")
        if char.isspace():
            return _Take(1, " ")
        if self._at_line_start:
            start = self._line_start(text, final)
            if start is None or start.chars:
                return start
        if char in "<":
            return self._tag(text, final)
        if char == "`":
            return self._code(text, final)
        if char == "*":
            return self._star(text, final)
        if char == "[":
            return self._bracket(text, final)
        if char in "(（":
            return self._parenthesis(text, final)
        if _WORD.match(char):
            return self._word(text, final)
        return self._sign(text, final)

    def _hidden(self, text: str, final: bool) -> _Take | None:
        """Code and thoughts are passed over up to their closing."""
        end = text.find(self._hidden_until)
        if end >= 0:
            end += len(self._hidden_until)
            self._hidden_until = ""
            return _Take(end)
        keep = 0 if final else len(self._hidden_until) - 1
        return _Take(len(text) - keep) if len(text) > keep else None

    def _line_start(self, text: str, final: bool) -> _Take | None:
        """Take what is only written at the start of a line; nothing if there is nothing."""
        label = self._label(text, final)
        if label is None or label.chars:
            return label
        char = text[0]
        if char in "-*_=":
            rule = _RULE.match(text)
            length = rule.end() if rule else 0
            if length == len(text) and not final:
                return None
            marks = len(text[:length].split()) and sum(c in "-*_=" for c in text[:length])
            if marks >= 3 and text[length : length + 1] in ("", "\n"):
                return _Take(length)
        if char in "-+*>•·–" and (len(text) > 1 or not final):
            if len(text) == 1:
                return None
            if text[1].isspace():
                return _Take(2)
        if char == "#":
            hashes = len(text) - len(text.lstrip("#"))
            if hashes == len(text) and not final:
                return None
            if hashes <= 6 and text[hashes : hashes + 1].isspace():
                return _Take(hashes)
        if char == "|":
            rule = _TABLE_RULE.match(text.partition("\n")[0])
            if rule and rule.end() == len(text) and not final:
                return None
            self._in_table = True
            return _Take(len(text.partition("\n")[0]) if self._is_table_rule(text) else 1)
        return _Take(0)

    def _is_table_rule(self, text: str) -> bool:
        line = text.partition("\n")[0]
        return "-" in line and _TABLE_RULE.fullmatch(line) is not None

    def _label(self, text: str, final: bool) -> _Take | None:
        """Drop "Assistant:"; "User:" after the answer means that the model plays the caller."""
        bare = text.lstrip("*")
        stars = len(text) - len(bare)
        for label in (*AGENT_LABELS, *CALLER_LABELS):
            head = bare[: len(label)].lower()
            if head != label:
                if not final and len(bare) < len(label) and label.startswith(head):
                    return None
                continue
            rest = bare[len(label) :].lstrip("*")
            if not rest and not final:
                return None
            if rest[:1] in (":", "："):
                self._over = label in CALLER_LABELS
                return _Take(stars + len(bare) - len(rest) + 1)
        return _Take(0)

    def _tag(self, text: str, final: bool) -> _Take | None:
        tag = _TAG.match(text)
        if tag is None:
            may_become_tag = len(text) < 2 or text[1].isalpha() or text[1] in "/|!"
            closed = "\n" in text or "<" in text[1:] or len(text) > 210
            if may_become_tag and not closed and not final:
                return None
            return _Take(2) if text.startswith("<3") else _Take(1, self._signs["<"])
        found = tag[0]
        if _ENDS_ANSWER.fullmatch(found):
            self._over = True
            return _Take(len(found))
        if found.lower() in ("<think>", "<thinking>"):
            self._hidden_until = found.replace("<", "</", 1)
        inside = found[1:-1]
        if _URL.match(inside) or _EMAIL.fullmatch(inside):
            return _Take(len(found), self._read_address(inside))
        return _Take(len(found), "\n" if _BREAKS_LINE.fullmatch(found) else "")

    def _code(self, text: str, final: bool) -> _Take | None:
        ticks = len(text) - len(text.lstrip("`"))
        if ticks >= 3:
            self._hidden_until = "```"
            return _Take(3)
        return None if ticks == len(text) and not final else _Take(ticks)

    def _star(self, text: str, final: bool) -> _Take | None:
        stars = len(text) - len(text.lstrip("*"))
        if stars == len(text) and not final:
            return None
        if stars == 1 and text[1:2].isspace() and self._last.isdigit():
            return _Take(1, self._signs["×"])
        if stars == 1:
            gesture = _gesture_end(text, "*", STARRED_GESTURES, final)
            if gesture is None:
                return None
            return _Take(gesture or 1)
        return _Take(stars)

    def _parenthesis(self, text: str, final: bool) -> _Take | None:
        gesture = _gesture_end(text, ")" if text[0] == "(" else "）", GESTURES, final)
        if gesture is None:
            return None
        return _Take(gesture) if gesture else _Take(1, text[0])

    def _bracket(self, text: str, final: bool) -> _Take | None:
        """Speak the text of "[text](address)" and drop "[1]"."""
        line = text.partition("\n")[0]
        end = line.find("]", 0, _LINK_CHARS)
        if end < 0:
            open_yet = len(line) == len(text) and len(text) < _LINK_CHARS and not final
            return None if open_yet else _Take(1)
        content = re.sub(r"[*_`~\[]", "", line[1:end])
        length = end + 1
        if length == len(text) and not final:
            return None
        if text[length : length + 1] == "(":
            close = line.find(")", length, length + _LINK_CHARS)
            if close < 0 and len(line) == len(text) < length + _LINK_CHARS and not final:
                return None
            length = close + 1 if close >= 0 else length
        first_word = content.split(" ")[0].lower()
        silent = content.strip("^ ").isdigit() or first_word in GESTURES or not content.strip()
        return _Take(length, "" if silent else speakable(content, self._language))

    def _word(self, text: str, final: bool) -> _Take | None:
        url = _URL.match(text)
        if url:
            if url.end() == len(text) and not final:
                return None
            address = url[0].rstrip(".,;:!?")
            return _Take(len(address), self._read_address(address))
        match = _WORD.match(text)
        assert match is not None  # the caller looked at the first character
        word, rest = match[0], text[match.end() :]
        if not final:
            waits_for_digit = rest in (",", ":") and word[-1].isdigit()
            scheme = word.lower() in _URL_SCHEMES and "://".startswith(rest)
            percent = self._language != "en" and word[-1].isdigit() and rest == " "
            if not rest or waits_for_digit or scheme or percent:
                return None
        core = word.rstrip(".'’-/+_@")
        tail = word[len(core) :]
        if self._at_line_start and re.fullmatch(r"\d{1,2}", core) and rest[:1] in (" ", ")"):
            if tail == "." or (not tail and rest[:1] == ")"):
                return _Take(len(core) + 1, core + ("，" if self._cjk else ","))
        spoken = self._read_word(core)
        length = len(word)
        if rest[:1] in ("%", "％") and core == word:
            spoken, length = self._percent(spoken), length + 1
        return _Take(length, spoken + self._read_tail(tail))

    def _read_word(self, word: str) -> str:
        """Put what is no plain word into words."""
        web = self._web
        if _EMAIL.fullmatch(word):
            return self._read_address(word)
        if _VERSION.fullmatch(word):
            number = word.lstrip("vV")
            return (web.version if number != word else "") + number.replace(".", web.point)
        if "." in word:
            ending = word.partition("/")[0].rpartition(".")[2].lower()
            if ending in TOP_LEVEL_DOMAINS and not word[0].isdigit():
                return self._read_address(word)
            if ending in FILE_ENDINGS:
                return word.rpartition("/")[2].replace(".", web.dot).replace("_", " ")
        if self._language != "en":
            word = self._read_number(word)
        return word.replace("_", " ").replace("@", web.at).replace("+", self._signs["+"])

    def _read_number(self, word: str) -> str:
        """Clock times, dates and thousands, for the languages whose voices do not read them."""
        if date := _DATE.fullmatch(word):
            year, month, day = CALENDAR[self._language]
            return f"{date[1]}{year}{int(date[2])}{month}{int(date[3])}{day}"
        if time := _TIME.fullmatch(word):
            hour, minute = CLOCK[self._language]
            minutes = f"{int(time[2])}{minute}" if int(time[2]) else ""
            return f"{int(time[1])}{hour}{minutes}".rstrip()
        if _AMOUNT.fullmatch(word):
            return word.replace(",", "")
        return word

    def _percent(self, number: str) -> str:
        sign = self._signs["%"]
        return sign + number if self._language in PERCENT_FIRST else number + sign

    def _read_tail(self, tail: str) -> str:
        """What a word ends with besides letters: stops stay, signs become words."""
        return "".join(self._signs[c] if c in "+@" else " " if c == "_" else c for c in tail)

    def _read_address(self, address: str) -> str:
        """Read the host of a web address, or a whole e-mail address."""
        web = self._web
        bare = re.sub(r"^(?:[a-z]+://|mailto:)", "", address, flags=re.IGNORECASE)
        bare = re.sub(r"^www\.", "", bare, flags=re.IGNORECASE)
        host = re.split(r"[/?#:]", bare, maxsplit=1)[0]
        spoken = host.replace(".", web.dot).replace("@", web.at)
        return spoken.replace("-", web.dash).replace("_", web.underscore)

    def _sign(self, text: str, final: bool) -> _Take | None:
        """Take a single character that is neither a letter of a word nor markup's beginning."""
        char = text[0]
        if char in CURRENCIES.get(self._language, {}):
            return self._money(text, final)
        if char in "&#_~" and len(text) == 1 and not final:
            return None
        if char == "&":
            return self._ampersand(text, final)
        if char == "#":
            return _Take(1, "#" if text[1:2].isdigit() and self._language == "en" else "")
        if char == "_":
            return _Take(1)
        if char in "~～〜" and self._last.isdigit():
            return _Take(1, TO[self._language])
        if char == "|" and self._in_table:
            last_cell = not text[1:].partition("\n")[0].strip()
            if last_cell and "\n" not in text and not final:
                return None
            return _Take(1, "" if last_cell else "，" if self._cjk else ", ")
        if char == "!" and (self._space or self._last.isspace()):
            if len(text) == 1 and not final:
                return None
            return _Take(1, "" if text[1:2] == "[" else "!")  # "![" is an image's mark
        if char in self._signs:
            return _Take(1, self._signs[char])
        if char in _DROPPED or unicodedata.category(char) in _SILENT_CATEGORIES:
            return _Take(1)
        return _Take(1, char)

    def _ampersand(self, text: str, final: bool) -> _Take | None:
        entity = _ENTITY.match(text)
        if entity:
            meant = html.unescape(entity[0])
            return _Take(entity.end(), self._signs.get(meant, meant))
        if re.fullmatch(r"&(?:[A-Za-z]{1,8}|#[0-9xA-Fa-f]{0,7})", text) and not final:
            return None
        return _Take(1, self._signs["&"])

    def _money(self, text: str, final: bool) -> _Take | None:
        amount = _AMOUNT.match(text, 1)
        if amount is None:
            return None if len(text) == 1 and not final else _Take(1, text[0])
        rest = text[amount.end() :]
        if not final and rest in ("", ",", ".") or (not final and re.fullmatch(r",\d{0,2}", rest)):
            return None
        unit = CURRENCIES[self._language][text[0]]
        return _Take(amount.end(), amount[0].replace(",", "") + unit)


# Emoji and pictographs, modifiers, formatting and control characters.
_SILENT_CATEGORIES = frozenset({"So", "Sk", "Sm", "Cc", "Cf", "Co", "Cn", "Cs"})


def speakable(text: str, language: str) -> str:
    """Make a whole text speakable; empty when nothing of it can be spoken."""
    stream = SpeakableStream(language)
    spoken = (stream.feed(text) + stream.flush()).strip()
    return spoken if any(char.isalnum() for char in spoken) else ""


def _gesture_end(text: str, closer: str, gestures: frozenset[str], final: bool) -> int | None:
    """Return where a stage direction ends, 0 if it is none, None if that is open yet."""
    content = text[1:]
    word = re.match(r"[A-Za-z]*", content)
    first = word[0].lower() if word else ""
    if first:
        if len(first) == len(content) and not final:
            return None
        if first not in gestures:
            return 0
    else:
        if not final and any(gesture.startswith(content) for gesture in CJK_GESTURES):
            return None
        if not content.startswith(tuple(CJK_GESTURES)):
            return 0
    line = content.partition("\n")[0]
    end = line.find(closer, 0, _GESTURE_CHARS)
    if end >= 0:
        return end + 2
    open_yet = len(line) == len(content) and len(content) < _GESTURE_CHARS and not final
    return None if open_yet else 0
