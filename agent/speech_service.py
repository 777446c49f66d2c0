"""`parley tts serve`: the speech service by itself, with transcriptions beside it.

In: the configuration, the secrets and where the doors are to listen.  Out: doors that serve until
they are told to stop.  Of the agent it knows speech recognition and nothing else.  Its own process
and event loop.
"""

from functools import partial
from pathlib import Path

from loguru import logger

from agent.config import SttConfig
from agent.stt.whisper import WhisperStt
from agent.transcriptions import (
    MAX_FILE_BYTES,
    PATH,
    Transcription,
    TranscriptionForm,
    Transcriptions,
)
from agent.weights import WeightsMissing
from tts.app import Addresses, App, run
from tts.config import Secrets, ServiceConfig
from tts.errors import EngineFailed, Overloaded
from tts.servers.operations import Answer, Operation
from tts.servers.reading import Upload


async def serve(
    config: ServiceConfig,
    stt_config: SttConfig,
    secrets: Secrets,
    *,
    grpc: str,
    http: str,
    cache_dir: Path,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain.  `grpc` and `http` are addresses, or empty.

    Without the recogniser's weights there are no transcriptions, and a line in the log.  Raises
    `ConfigError`, and as `tts.app.App.start`.
    """
    stt = WhisperStt(stt_config, cache_dir=cache_dir)
    try:
        more = []
        if http:
            try:
                await stt.start()
                more.append(transcribing(stt))
            except WeightsMissing as error:
                logger.bind(reason=str(error)).warning("no transcriptions")
        app = App(config, secrets, Addresses(grpc=grpc, http=http), more)
        await run(app, say=partial(_say_ready, app, grpc, http))
    finally:
        await stt.close()


def _say_ready(app: App, grpc: str, http: str) -> None:
    """Tell the person who started it where it is, with the port that was found for port 0."""
    for name, address, port in (("http", http, app.http_port), ("grpc", grpc, app.grpc_port)):
        if address.startswith("unix:"):
            print(f"  The voices are ready: {address}", flush=True)
        elif address:
            print(
                f"  The voices are ready: {name}://{address.rpartition(':')[0]}:{port}/", flush=True
            )


class RecordingForm(TranscriptionForm):
    """The whole form, for the document: `Transcriptions` reads it by itself."""

    file: Upload
    """The recording, in any format that FFmpeg reads."""


def transcribing(stt: WhisperStt) -> Operation:
    """The operation of the recogniser."""
    return Operation(
        id="createTranscription",
        method="POST",
        path=PATH,
        tag="OpenAI",
        summary="Write down what a recording says.",
        handler=Transcriptions(stt.transcribe_file).handle,
        form=RecordingForm,
        answers={
            200: Answer(
                description="The transcript, in the form that was asked for.",
                content={
                    "application/json": Transcription,
                    "text/plain": None,
                    "text/vtt": None,
                    "application/x-subrip": None,
                    "text/event-stream": None,
                },
            )
        },
        errors=(Overloaded, EngineFailed),
        max_body_bytes=MAX_FILE_BYTES + (1 << 20),
    )
