"""Parley's own engine: its plain functions, without text, service or door."""

import time

import torch

from bench.sides.task import FirstPacket, Sentence, Task
from tts import checkpoint
from tts.engine.sampling import Sampling
from tts.engine.synthesis import Manner, Models, Reference, decode_codes, tokens
from tts.engine.t2s_decode import Limits
from tts.models.sovits import Sovits
from tts.models.t2s import T2s


class Ours:
    """See `bench.sides.task.Side`."""

    first_packet_way = "the whole sentence"

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(task.threads)
        self.about = f"Parley, torch {torch.__version__}, fp32"
        self._task = task
        self._models = _models(task)
        spec, bert = self._models.sovits.spec, self._models.t2s.spec.bert
        generator = torch.Generator().manual_seed(0)
        self._reference = Reference(
            codes=torch.randint(1024, (1, task.reference_codes), generator=generator),
            phones=torch.randint(300, (1, task.reference_phones), generator=generator),
            features=torch.zeros(1, bert, task.reference_phones),
            ge=0.1 * torch.randn(1, spec.gin, 1, generator=generator),
        )
        self._phones = torch.randint(300, (1, task.phones), generator=generator)
        self._features = torch.zeros(1, bert, task.phones)
        self._manner = Manner(Sampling(top_k=task.top_k))

    def sentence(self) -> Sentence:
        """Token by token, and then the sentence's sound."""
        began_s = last_s = time.perf_counter()
        steps_s: list[float] = []
        codes: list[int] = []
        limits = Limits(early_stop=self._task.codes - 1)
        run = tokens(
            self._models.t2s, self._reference, self._phones, self._features, self._manner, limits
        )
        for code in run:
            now_s = time.perf_counter()
            steps_s.append(now_s - last_s)
            last_s = now_s
            codes.append(code)
        samples = decode_codes(
            self._models.sovits, self._reference, codes, self._phones, self._manner
        )
        assert samples is not None
        return Sentence(steps_s, time.perf_counter() - began_s, len(samples))

    def first_packet(self) -> FirstPacket:
        """As long as a sentence takes."""
        whole = self.sentence()
        return FirstPacket(whole.seconds, whole.samples)


def load(task: Task) -> Ours:
    """The side of this checkout."""
    return Ours(task)


def _models(task: Task) -> Models:
    cpu = torch.device("cpu")
    t2s, sovits = checkpoint.read_t2s(task.t2s), checkpoint.read_sovits(task.sovits)
    return Models(
        T2s.load(t2s.spec, t2s.tensors, dtype=torch.float32, device=cpu),
        Sovits.load(sovits.spec, sovits.tensors, dtype=torch.float32, device=cpu),
    )
