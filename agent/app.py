"""Where a worker is put together: the only module that knows the agent, the transports and the TTS.

In: the configuration, the secrets and the addresses of the model processes.  Out: everything the
calls of one process share, and `run_call`, which holds one call.  Runs on the event loop's thread.
"""

import asyncio
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent import weights
from agent.budget import Budget
from agent.config import Config, Secrets
from agent.context import Conversation
from agent.llm.endpoint import OpenAiChat, new_http_client
from agent.metrics import Metrics
from agent.persona import Persona
from agent.session import Session, SharedServices
from agent.sessions import CallRecord
from agent.silero import Silero
from agent.speech_client import speech_client
from agent.stt.decoder import Wanted
from agent.stt.whisper import WhisperStt
from agent.tools.builtin import builtin_registry
from agent.tools.registry import ToolContext
from agent.tracing import TRACED_AS
from agent.transcriptions import Events
from agent.turns import reading
from agent.turns.turn_model import TurnModel
from agent.turns.vad import VoiceActivity
from transports.base import CallTransport
from tts.errors import TtsError
from tts.tracing import inject, set_up

PASSAGE_ENGINES = frozenset({"gpt-sovits"})
"""Engines that carry the melody of a sentence over the clauses of a text; the others render each
clause by itself."""


class App:
    """Everything the calls of one worker share."""

    def __init__(
        self,
        config: Config,
        secrets: Secrets,
        *,
        tts_address: str,
        llm_base_url: str,
        cache_dir: Path,
        metrics: Metrics,
    ) -> None:
        """`llm_base_url` and `tts_address` are where the model processes listen."""
        self._config = config
        self._metrics = metrics
        self._tools = builtin_registry()
        self._offers_tools = config.llm.tools
        if self._offers_tools is None:
            self._offers_tools = bool(config.llm.base_url)  # the built-in model cannot use them
        self._silero = Silero(weights.find(weights.SILERO_VAD))
        self._stt = WhisperStt(config.stt, cache_dir=cache_dir)
        self._budget = Budget(config.turns.speculation, stt_waiting=lambda: self._stt.waiting)
        self._turn_model = TurnModel()
        self._http = new_http_client(llm_base_url)
        self._chat = OpenAiChat(config.llm, llm_base_url, secrets.llm_api_key, self._http)
        self._tts = speech_client(config.tts, secrets, tts_address, inject=inject)
        self._tracing = set_up(config.tracing, TRACED_AS)
        self._loaded = False

    async def start(self) -> None:
        """Load the models of this process.  Raises what loading raises."""
        await asyncio.gather(
            self._stt.start(), self._turn_model.start(), asyncio.to_thread(reading.load)
        )
        self._loaded = True

    async def close(self) -> None:
        """Release models and connections; calls must be over."""
        await asyncio.gather(self._stt.close(), self._turn_model.close(), self._tts.close())
        await self._http.aclose()
        await self._tracing.stop()

    async def ready(self) -> dict[str, bool]:
        """Which parts would serve a call now."""
        tts, llm = await asyncio.gather(self._tts.ready(), self._chat.healthy())
        return {"models": self._loaded, "tts": tts, "llm": llm}

    def transcribe(self, audio: NDArray[np.float32], wanted: Wanted) -> Events:
        """Transcribe a recording; see `agent.transcriptions.Transcribe`."""
        return self._stt.transcribe_file(audio, wanted)

    async def run_call(
        self, transport: CallTransport, persona: Persona, record: CallRecord
    ) -> None:
        """Hold one call; returns when it is over.  Cancelling takes the line down."""
        llm = self._config.llm
        conversation = Conversation(
            persona.prompt,
            examples=persona.examples,
            context_tokens=llm.context_tokens,
            keep_messages=llm.keep_messages,
        )
        names = persona.tools if self._offers_tools else []
        session = Session(
            transport=transport,
            persona=persona,
            shared=SharedServices(
                stt=self._stt,
                scorer=self._turn_model,
                chat=self._chat,
                tts=self._tts,
                metrics=self._metrics,
                tracing=self._tracing,
                budget=self._budget,
            ),
            turns=self._config.turns,
            voice=VoiceActivity(self._config.vad, self._silero),
            conversation=conversation,
            toolbox=self._tools.toolbox(names, ToolContext(record.id, persona.language)),
            log=record.log,
            voice_takes_passages=await self._takes_passages(persona),
            recording=record.recording,
        )
        record.hang_up = session.hang_up
        record.end(await session.run())

    async def _takes_passages(self, persona: Persona) -> bool:
        """Whether the persona's voice is to be given text while that is being written.

        Any voice speaks pieces: a service that cannot be asked is no reason to refuse a call.
        """
        try:
            voices = await self._tts.voices()
        except TtsError:
            return False
        return any(v.id == persona.voice and v.engine in PASSAGE_ENGINES for v in voices)
