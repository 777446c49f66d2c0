"""What the client's screen is told, as RTVI messages over the call's data channel.

RTVI's own messages (transcripts, speaking, ready) come from pipecat's observer.  This module
adds the spoken words as they are heard, in RTVI's form for any RTVI client and as
`server-message`s with more detail for Parley's page: docs/protocols/page.md lists them.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pipecat.frames.frames import OutputTransportMessageUrgentFrame
from pipecat.processors.frameworks.rtvi import models as rtvi

Send = Callable[[OutputTransportMessageUrgentFrame], Awaitable[None]]


class ClientNotes:
    """Sends notes to the client of one call; `send` pushes a frame towards the transport."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def agent_text(self, utterance: int, text: str) -> None:
        """Text that will be spoken next in this utterance."""
        await self._server({"type": "agent-text", "utterance": utterance, "text": text})

    async def agent_progress(self, utterance: int, chars: int, words: str) -> None:
        """The first `chars` characters have been heard; `words` are the newest of them."""
        await self._push(rtvi.BotTTSTextMessage(data=rtvi.TextMessageData(text=words)))
        await self._server(
            {"type": "agent-progress", "utterance": utterance, "spoken_chars": chars}
        )

    async def agent_ended(self, utterance: int, chars: int, interrupted: bool) -> None:
        """The utterance is over; `chars` characters of it were heard."""
        await self._server(
            {
                "type": "agent-ended",
                "utterance": utterance,
                "spoken_chars": chars,
                "interrupted": interrupted,
            }
        )

    async def turn_latency(self, turn: int, stages: Mapping[str, float], total_s: float) -> None:
        """Where the time of an answer went; `stages` in seconds, in order."""
        await self._server(
            {
                "type": "turn-latency",
                "turn": turn,
                "stages": {f"{name}_ms": round(s * 1000) for name, s in stages.items()},
                "total_ms": round(total_s * 1000),
            }
        )

    async def notice(self, code: str, text: str) -> None:
        """Something the caller should know: a part of the agent is down."""
        await self._server({"type": "notice", "code": code, "text": text})

    async def call_ended(self, reason: str) -> None:
        """The daemon ends the call."""
        await self._server({"type": "call-ended", "reason": reason})

    async def _server(self, data: dict[str, Any]) -> None:
        await self._push(rtvi.ServerMessage(data=data))

    async def _push(self, message: Any) -> None:
        await self._send(
            OutputTransportMessageUrgentFrame(message=message.model_dump(exclude_none=True))
        )
