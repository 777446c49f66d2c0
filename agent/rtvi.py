"""What the client's screen is told, as RTVI messages over the call's data channel.

RTVI's own messages (transcripts, speaking, ready) come from pipecat's observer.  This module
adds the spoken words as they are heard, in RTVI's form for any RTVI client and as
`server-message`s with more detail for Parley's page: docs/protocols/page.md lists them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipecat.frames.frames import OutputTransportMessageUrgentFrame
from pipecat.processors.frameworks.rtvi import models as rtvi

from agent.turns.timeline import Picture

Send = Callable[[OutputTransportMessageUrgentFrame], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Segment:
    """A piece of an utterance, as RTVI's bot-output counts them."""

    number: int
    start: int
    text: str


def read_talk_key(message: Mapping[str, Any]) -> bool | None:
    """Whether a message of the client says that the talk key was pressed (True) or let go (False).

    None for every other message, and for one that does not say which.
    """
    data = message.get("data")
    if message.get("type") != "client-message" or not isinstance(data, dict):
        return None
    details = data.get("d")
    if data.get("t") != "talk-key" or not isinstance(details, dict):
        return None
    pressed = details.get("pressed")
    return pressed if isinstance(pressed, bool) else None


class ClientNotes:
    """Sends notes to the client of one call; `send` pushes a frame towards the transport."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._segments: list[_Segment] = []
        self._segment_count = 0

    async def agent_text(self, utterance: int, text: str) -> None:
        """Text that will be spoken next in this utterance."""
        start = self._segments[-1].start + len(self._segments[-1].text) if self._segments else 0
        self._segment_count += 1
        segment = _Segment(self._segment_count, start, text)
        self._segments.append(segment)
        await self._output(segment, 0)
        await self._server({"type": "agent-text", "utterance": utterance, "text": text})

    async def agent_progress(self, utterance: int, chars: int, words: str) -> None:
        """The first `chars` characters have been heard; `words` are the newest of them."""
        for segment in self._segments:
            if segment.start < chars and segment.start + len(segment.text) > chars - len(words):
                await self._output(segment, chars - segment.start)
        await self._push(rtvi.BotTTSTextMessage(data=rtvi.TextMessageData(text=words)))
        await self._server(
            {"type": "agent-progress", "utterance": utterance, "spoken_chars": chars}
        )

    async def agent_ended(self, utterance: int, chars: int, interrupted: bool) -> None:
        """The utterance is over; `chars` characters of it were heard."""
        self._segments.clear()
        await self._server(
            {
                "type": "agent-ended",
                "utterance": utterance,
                "spoken_chars": chars,
                "interrupted": interrupted,
            }
        )

    async def turn_dropped(self) -> None:
        """What sounded like a turn of the caller was none: no answer follows."""
        await self._server({"type": "turn-dropped"})

    async def turn_latency(
        self, turn: int, stages: Mapping[str, float], total_s: float, draft_s: float
    ) -> None:
        """Where the time of an answer went; `stages` in seconds, in order.

        `draft_s`: how long before the turn's end was decided the answer was begun.
        """
        await self._server(
            {
                "type": "turn-latency",
                "turn": turn,
                "stages": {f"{name}_ms": round(s * 1000) for name, s in stages.items()},
                "total_ms": round(total_s * 1000),
                "draft_ms": round(draft_s * 1000),
            }
        )

    async def turn_timeline(self, picture: Picture) -> None:
        """Who sounded when in a turn, and what was decided."""
        await self._server({"type": "turn-timeline", **picture.message()})

    async def notice(self, code: str, text: str) -> None:
        """Something the caller should know: a part of the agent is down."""
        await self._server({"type": "notice", "code": code, "text": text})

    async def call_ended(self, reason: str) -> None:
        """The daemon ends the call."""
        await self._server({"type": "call-ended", "reason": reason})

    async def _output(self, segment: _Segment, chars: int) -> None:
        spoken, left = segment.text[:chars], segment.text[chars:]
        status: rtvi.SpokenStatus = "in-progress" if spoken else "new"
        progress = rtvi.SpokenProgressData(accumulated_text=spoken, remaining_text=left)
        data = rtvi.BotOutputMessageData(
            text=segment.text,
            output_type="sentence",
            segment_id=segment.number,
            will_be_spoken=True,
            spoken=not left,
            spoken_status=status if left else "completed",
            spoken_progress=progress,
        )
        await self._push(rtvi.BotOutputMessage(data=data))

    async def _server(self, data: dict[str, Any]) -> None:
        await self._push(rtvi.ServerMessage(data=data))

    async def _push(self, message: Any) -> None:
        await self._send(
            OutputTransportMessageUrgentFrame(message=message.model_dump(exclude_none=True))
        )
