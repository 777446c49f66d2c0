"""GPT-SoVITS itself, from a checkout that the user names.

Its plain path, which its own service takes without a GPU: `Text2SemanticDecoder.infer_panel_naive`
and `SynthesizerTrn.decode`, in single precision.  Its first packet is that of its streaming: the
first 16 tokens, decoded by `decode_streaming`.  What its modules import and these two classes do
not use is replaced by empty stubs, where it is not installed.
"""

import importlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from bench.sides.stubs import stub_missing
from bench.sides.task import FirstPacket, Sentence, Task

FIRST_CODES, HELD_BACK_CODES = 16, 2
"""`min_chunk_length` and `overlap_length` of its text-to-speech class."""
_SAMPLES_PER_CODE = 1280

_NOT_USED = {"f5_tts.model": ("DiT",), "torchmetrics.classification": ("MulticlassAccuracy",)}
_SPECTROGRAM_FRAMES_PER_CODE = 2
_SPECTROGRAM_BINS = 1025


class Upstream:
    """See `bench.sides.task.Side`."""

    first_packet_way = f"its streaming mode: {FIRST_CODES} tokens, decode_streaming"

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(task.threads)
        root = Path(task.source)
        sys.path.insert(0, str(root / "GPT_SoVITS"))
        stub_missing(_NOT_USED)
        self.about = f"GPT-SoVITS {_commit(root)}, torch {torch.__version__}, fp32"
        self._task = task
        self._t2s = self._load_t2s(task.t2s)
        self._sovits = self._load_sovits(task.sovits)
        generator = torch.Generator().manual_seed(0)
        phones = task.reference_phones + task.phones
        self._phones = torch.randint(300, (1, phones), generator=generator)
        self._prompt = torch.randint(1024, (1, task.reference_codes), generator=generator)
        frames = _SPECTROGRAM_FRAMES_PER_CODE * task.reference_codes
        self._clip = torch.rand(1, _SPECTROGRAM_BINS, frames, generator=generator)
        self._embedding = torch.randn(1, 20480, generator=generator)

    @torch.no_grad()
    def sentence(self) -> Sentence:
        """Token by token, and then the whole sentence in one decode."""
        began_s = last_s = time.perf_counter()
        steps_s: list[float] = []
        codes: list[torch.Tensor] = []
        for chunk in self._tokens(chunk_length=1):
            now_s = time.perf_counter()
            steps_s.append(now_s - last_s)
            last_s = now_s
            codes.append(chunk)
        audio = self._sovits.decode(
            torch.cat(codes, dim=1)[None], self._target, [self._clip], sv_emb=self._speakers
        )
        return Sentence(steps_s, time.perf_counter() - began_s, audio.shape[-1])

    @torch.no_grad()
    def first_packet(self) -> FirstPacket:
        """The first chunk of its streaming."""
        began_s = time.perf_counter()
        first = next(self._tokens(chunk_length=FIRST_CODES))
        audio, *_ = self._sovits.decode_streaming(
            first[None], self._target, [self._clip], sv_emb=self._speakers
        )
        seconds = time.perf_counter() - began_s
        return FirstPacket(seconds, audio.shape[-1] - HELD_BACK_CODES * _SAMPLES_PER_CODE)

    @property
    def _target(self) -> torch.Tensor:
        return self._phones[:, self._task.reference_phones :]

    @property
    def _speakers(self) -> list[torch.Tensor] | None:
        return [self._embedding] if "Pro" in self._task.version else None

    def _tokens(self, *, chunk_length: int) -> Any:
        run = self._t2s.infer_panel_naive(
            self._phones,
            torch.tensor([self._phones.shape[1]]),
            self._prompt,
            torch.zeros(1, 1024, self._phones.shape[1]),
            top_k=self._task.top_k,
            top_p=1,
            early_stop_num=self._task.codes - 1,
            streaming_mode=True,
            chunk_length=chunk_length,
        )
        return (chunk for chunk, _ in run if chunk is not None)

    def _load_t2s(self, path: str) -> Any:
        read = torch.load(path, weights_only=True)
        decoder = importlib.import_module("AR.models.t2s_model").Text2SemanticDecoder
        model = decoder(config=read["config"]).eval()
        named = {key.removeprefix("model."): value for key, value in read["weight"].items()}
        model.load_state_dict(named)
        return model.float()

    def _load_sovits(self, path: str) -> Any:
        read = torch.load(path, weights_only=True)
        about = read["config"]
        settings = {**about["model"], "version": self._task.version, "semantic_frame_rate": "25hz"}
        data, train = about["data"], about["train"]
        model = importlib.import_module("module.models").SynthesizerTrn(
            data["filter_length"] // 2 + 1,
            train["segment_size"] // data["hop_length"],
            n_speakers=data["n_speakers"],
            **settings,
        )
        del model.enc_q
        model.load_state_dict(read["weight"])
        return model.eval().float()


def load(task: Task) -> Upstream:
    """The side of a checkout.  Raises ImportError when it is not one."""
    return Upstream(task)


def _commit(root: Path) -> str:
    command = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "of no known commit"
