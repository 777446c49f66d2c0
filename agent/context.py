"""What the language model is told of a call: its persona, and only what was really heard.

In: what the caller said, what of the agent's words was heard, which tools ran.  Out: the list of
chat messages.  When the conversation grows, its older part is replaced by a summary that the
model itself writes between two turns.  Knows nothing of audio, turns or endpoints.  Used from the
event loop's thread only.
"""

import asyncio
import logging
import unicodedata
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from agent.llm.types import ChatModel, LlmUnavailable, Message, TextDelta, ToolCall

_log = logging.getLogger(__name__)

CUT_OFF = "—"
"""Ends an agent message that the caller interrupted; models read it as an unfinished sentence."""
SUMMARY_TIMEOUT_S = 20.0
SUMMARY_CHARS = 800
HARD_LIMIT_SHARE = 1.25
"""Beyond this share of the wanted size the oldest messages go, summary or not: a summary that
fails or comes late must not make the endpoint refuse the conversation."""

OPENING = "Hello?"
"""Stands for the caller before a greeting: many models want the user to speak first, and refuse
two assistant messages in a row."""

_SUMMARY_REQUEST = (
    "Summarise this conversation in at most four short sentences. Keep names, numbers, dates, "
    "wishes and what was promised. Write nothing but the summary, in the conversation's language."
)
_SUMMARY_HEADING = "What was said earlier in this call:"
_MESSAGE_TOKENS = 4  # role and separators
_WIDE_TOKENS = 1.0  # a Chinese, Japanese or Korean character
_NARROW_TOKENS = 0.3  # any other character
_JOINED_WITHOUT_SPACE = ("W", "F")  # east_asian_width of CJK characters and their punctuation


@dataclass(frozen=True, slots=True)
class _Said:
    """Something that was said and heard."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class _ToolUse:
    """A tool call and its result, which are never parted."""

    call: ToolCall
    result: str


class Conversation:
    """The messages of one call."""

    def __init__(
        self,
        prompt: str,
        *,
        examples: Sequence[tuple[str, str]] = (),
        context_tokens: int = 1600,
        keep_messages: int = 6,
    ) -> None:
        """`context_tokens` is the estimated size at which the older part is summarised.

        `examples` are (user, agent) exchanges that lead the conversation; they and the newest
        `keep_messages` messages are never summarised.
        """
        self._prompt = prompt
        self._examples = [
            _Said(role, text)
            for exchange in examples
            for role, text in zip(("user", "assistant"), exchange, strict=True)
        ]
        self._context_tokens = context_tokens
        self._keep_messages = keep_messages
        self._summary = ""
        self._entries: list[_Said | _ToolUse] = []

    def add_user(self, text: str) -> None:
        """Add what the caller said; it joins what the caller said just before."""
        self._say("user", text)

    def add_agent(self, heard_text: str, *, interrupted: bool) -> None:
        """Add the words of the agent that were heard; none leave no trace."""
        text = heard_text.strip()
        if text and interrupted:
            text = text.rstrip(" ,;:，、；：-–—…") + CUT_OFF
        self._say("assistant", text)

    def add_tool_exchange(self, call: ToolCall, result: str | None) -> None:
        """Add a tool call with its result; None when it was cancelled."""
        self._entries.append(_ToolUse(call, '{"error": "cancelled"}' if result is None else result))
        self._stay_below_hard_limit()

    @property
    def last_said(self) -> str:
        """The newest words of the agent that were heard; "" before the first."""
        agents = (
            entry.text
            for entry in reversed(self._entries)
            if isinstance(entry, _Said) and entry.role == "assistant"
        )
        return next(agents, "")

    def messages(self) -> list[Message]:
        """Return the conversation as chat messages: system, examples, then what was said."""
        system = self._prompt
        if self._summary:
            system += f"\n\n{_SUMMARY_HEADING} {self._summary}"
        messages: list[Message] = [{"role": "system", "content": system}]
        entries = list(self._entries)
        if entries and not _is_user(entries[0]):
            entries.insert(0, _Said("user", OPENING))
        for entry in (*self._examples, *entries):
            messages += _as_messages(entry)
        return messages

    def messages_with(self, user_text: str) -> list[Message]:
        """What `messages` would return if the caller had said `user_text` now."""
        kept = list(self._entries)
        self.add_user(user_text)
        try:
            return self.messages()
        finally:
            self._entries = kept

    def estimated_tokens(self) -> int:
        """Estimate the size of `messages()` in tokens, without any model's tokenizer."""
        return sum(_estimate(message) for message in self.messages())

    def needs_summary(self) -> bool:
        """Whether there is an older part, and the whole is larger than wanted."""
        return bool(self._older()) and self.estimated_tokens() > self._context_tokens

    async def summarise(self, chat: ChatModel) -> None:
        """Replace the older part by a summary written by `chat`.

        Runs beside the conversation, which may go on meanwhile: only what was there at the start
        is replaced.  When the model fails or says nothing within the time-out, the older part is
        dropped.  Cancelling changes nothing.
        """
        older = self._older()
        if not older:
            return
        request = self._summary_request(older)
        try:
            async with asyncio.timeout(SUMMARY_TIMEOUT_S):
                summary = await _collect(chat, request)
        except (LlmUnavailable, TimeoutError) as error:
            _log.warning("summary failed, the oldest messages are dropped: %r", error)
            summary = ""
        # The hard limit may have dropped some of them from the front while the model wrote.
        remaining = sum(1 for entry in self._entries if any(entry is old for old in older))
        del self._entries[:remaining]
        self._summary = summary or self._summary

    def _say(self, role: str, text: str) -> None:
        text = text.strip()
        if not text:
            return
        last = self._entries[-1] if self._entries else None
        if isinstance(last, _Said) and last.role == role:
            self._entries[-1] = _Said(role, _join(last.text, text))
        else:
            self._entries.append(_Said(role, text))
        self._stay_below_hard_limit()

    def _older(self) -> list[_Said | _ToolUse]:
        """Return the part that may be summarised; it ends before something the caller said."""
        end = max(0, len(self._entries) - self._keep_messages)
        while end > 0 and not _is_user(self._entries[end]):
            end -= 1
        return self._entries[:end]

    def _stay_below_hard_limit(self) -> None:
        limit = self._context_tokens * HARD_LIMIT_SHARE
        while self.estimated_tokens() > limit and len(self._entries) > 1:
            del self._entries[0]
            while len(self._entries) > 1 and not _is_user(self._entries[0]):
                del self._entries[0]

    def _summary_request(self, older: Sequence[_Said | _ToolUse]) -> list[Message]:
        lines = [f"{_SUMMARY_HEADING} {self._summary}"] if self._summary else []
        for entry in older:
            if isinstance(entry, _Said):
                lines.append(f"{'Caller' if entry.role == 'user' else 'Agent'}: {entry.text}")
            else:
                lines.append(f"Agent used {entry.call.name}: {entry.result}")
        return [
            {"role": "system", "content": _SUMMARY_REQUEST},
            {"role": "user", "content": "\n".join(lines)},
        ]


def estimate_tokens(text: str) -> int:
    """Estimate a text's tokens: wide (CJK) characters count more than others."""
    wide = sum(1 for char in text if unicodedata.east_asian_width(char) in _JOINED_WITHOUT_SPACE)
    return round(wide * _WIDE_TOKENS + (len(text) - wide) * _NARROW_TOKENS)


def _estimate(message: Message) -> int:
    calls = sum(
        estimate_tokens(call["function"]["name"] + call["function"]["arguments"])
        for call in message.get("tool_calls", ())
    )
    return _MESSAGE_TOKENS + estimate_tokens(message["content"] or "") + calls


def _as_messages(entry: _Said | _ToolUse) -> list[Message]:
    if isinstance(entry, _Said):
        return [{"role": entry.role, "content": entry.text}]
    function = {"name": entry.call.name, "arguments": entry.call.arguments}
    call: dict[str, Any] = {"id": entry.call.id, "type": "function", "function": function}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": entry.call.id, "content": entry.result},
    ]


def _is_user(entry: _Said | _ToolUse) -> bool:
    return isinstance(entry, _Said) and entry.role == "user"


def _join(before: str, after: str) -> str:
    """Join two utterances as their script does: with a space, or without."""
    wide = unicodedata.east_asian_width(before[-1]) in _JOINED_WITHOUT_SPACE
    return f"{before}{after}" if wide else f"{before} {after}"


async def _collect(chat: ChatModel, messages: Sequence[Message]) -> str:
    text = ""
    async with aclosing(chat.stream(messages)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                text += event.text
            if len(text) >= SUMMARY_CHARS:
                break
    return " ".join(text.split())[:SUMMARY_CHARS]
