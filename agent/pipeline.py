"""The one place where a call meets pipecat's pipeline and RTVI.

    transport.input -> ears -> replier -> transport.output

In: the four processors.  Out: a `CallPipeline` that runs until it is ended.  Pinned to pipecat
1.14; `tests/agent/test_pipeline.py` holds what we rely on.
"""

from collections.abc import Awaitable, Callable

from pipecat.frames.frames import Frame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIObserverParams, RTVIProcessor
from pipecat.workers.runner import WorkerRunner


class CallPipeline:
    """One call's pipeline; `on_client_ready` is awaited when an RTVI client says it is there."""

    def __init__(
        self, processors: list[FrameProcessor], on_client_ready: Callable[[], Awaitable[None]]
    ) -> None:
        self._rtvi = RTVIProcessor()
        self._on_client_ready = on_client_ready
        self._rtvi.add_event_handler("on_client_ready", self._client_ready)
        self._worker = PipelineWorker(
            Pipeline(processors),
            params=PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=48_000),
            rtvi_processor=self._rtvi,
            rtvi_observer_params=RTVIObserverParams(
                bot_output_enabled=False, bot_tts_enabled=False, metrics_enabled=False
            ),
            enable_turn_tracking=False,
            idle_timeout_secs=None,
            cancel_on_idle_timeout=False,
        )

    async def run(self) -> None:
        """Run until `cancel`; returns once every processor has been cleaned up."""
        runner = WorkerRunner(handle_sigint=False, handle_sigterm=False)
        await runner.add_workers(self._worker)
        await runner.run(auto_end=True)

    async def cancel(self) -> None:
        """End the pipeline at once, dropping what is queued."""
        await self._worker.cancel()

    async def queue(self, frame: Frame) -> None:
        """Put a frame at the head of the pipeline."""
        await self._worker.queue_frame(frame)

    async def _client_ready(self, _rtvi: RTVIProcessor) -> None:
        await self._on_client_ready()  # pipecat's worker answers with bot-ready by itself
