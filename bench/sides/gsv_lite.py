"""gsv-tts-lite, from the environment that has it, on the CPU.

Its loaders, its T2S with a static cache, its decode: what its class `TTS` calls, without the parts
of that class that fetch pretrained models.  Its stream of tokens never ends with our files, and is
left when there are enough.
"""

import importlib.metadata
import time
from typing import Any

import torch

from bench.sides.stubs import stub_missing
from bench.sides.task import FirstPacket, Sentence, Task

PACKAGE = "gsv-tts-lite"
FIRST_CODES, HELD_BACK_FRAMES = 25, 5
"""`stream_chunk` and `overlap_len` of its class."""
_CACHES = [(1, 512)]
"""The smallest of its default caches for one utterance; the task fits in."""
_SAMPLES_PER_FRAME = 640
_NOT_USED = {"torchaudio.compliance.kaldi": (), "sounddevice": (), "nltk": (), "inflect": ()}
"""For clips, loudspeakers and text."""


class GsvLite:
    """See `bench.sides.task.Side`."""

    first_packet_way = f"its token streaming: {FIRST_CODES} tokens"

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(task.threads)
        stub_missing(_NOT_USED)
        from gsv_tts import Config, Loader  # type: ignore[import-not-found]

        version = importlib.metadata.version(PACKAGE)
        self.about = f"{PACKAGE} {version}, torch {torch.__version__}, fp32"
        self._task = task
        config = Config.Config()
        config.device, config.dtype = torch.device("cpu"), torch.float32
        config.use_flash_attn, config.gpt_cache, config.sovits_cache = False, _CACHES, []
        self._t2s = Loader.get_gpt_weights(task.t2s, config).t2s_model
        self._sovits = Loader.get_sovits_weights(task.sovits, config).vq_model
        generator = torch.Generator().manual_seed(0)
        phones = task.reference_phones + task.phones
        self._phones = torch.randint(300, (1, phones), generator=generator)
        self._prompt = torch.randint(1024, (1, task.reference_codes), generator=generator)
        frames = 2 * task.reference_codes
        clip = torch.rand(1, 1025, frames, generator=generator)
        embedding = torch.randn(1, 20480, generator=generator)
        with torch.inference_mode():
            self._ge = self._sovits.get_ge(clip, embedding if "Pro" in task.version else None)

    @torch.inference_mode()
    def sentence(self) -> Sentence:
        """Token by token, and then the whole sentence in one decode."""
        began_s = last_s = time.perf_counter()
        steps_s: list[float] = []
        run = self._tokens(stream_chunk=1)
        while len(steps_s) < self._task.codes:
            codes, _ = next(run)
            now_s = time.perf_counter()
            steps_s.append(now_s - last_s)
            last_s = now_s
        audio, _ = self._sovits.decode(codes, self._target, self._ge)
        return Sentence(steps_s, time.perf_counter() - began_s, audio.shape[-1])

    @torch.inference_mode()
    def first_packet(self) -> FirstPacket:
        """The first chunk of its streaming."""
        began_s = time.perf_counter()
        codes, _ = next(self._tokens(stream_chunk=FIRST_CODES))
        audio, _ = self._sovits.decode(
            codes,
            self._target,
            self._ge,
            stream_mode=True,
            valid_start_idx=0,
            overlap_len=HELD_BACK_FRAMES,
        )
        seconds = time.perf_counter() - began_s
        return FirstPacket(seconds, audio.shape[-1] - HELD_BACK_FRAMES * _SAMPLES_PER_FRAME)

    @property
    def _target(self) -> torch.Tensor:
        return self._phones[:, self._task.reference_phones :]

    def _tokens(self, *, stream_chunk: int) -> Any:
        return self._t2s.infer_stream(
            self._phones,
            self._prompt,
            torch.zeros(1, self._phones.shape[1], 1024),
            top_k=self._task.top_k,
            stream_chunk=stream_chunk,
            debug=False,
        )


def load(task: Task) -> GsvLite:
    """The side of the installed package.  Raises ImportError when there is none."""
    return GsvLite(task)
