"""Parley's own engine, without text, service or door, in the precision that it takes by itself."""

import time

import torch

from bench.random_models import loaded
from bench.sides.task import FirstPacket, Sentence, Task
from tts import checkpoint
from tts.engine.latent_noise import LatentNoise
from tts.engine.sampling import Sampling
from tts.engine.stitched import StitchedDecoder
from tts.engine.t2s_decode import Limits
from tts.engine.types import Kind, Work
from tts.engine.utterance import Utterance
from tts.engine.voice import Manner
from tts.models.t2s import T2sInput


class Ours:
    """See `bench.sides.task.Side`."""

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(task.threads)
        t2s, sovits = checkpoint.read_t2s(task.t2s), checkpoint.read_sovits(task.sovits)
        cpu = torch.device("cpu")
        self._spoken = spoken = loaded(
            (t2s.spec, t2s.tensors),
            (sovits.spec, sovits.tensors),
            cpu,
            reference_codes=task.reference_codes,
            reference_phones=task.reference_phones,
        )
        self.about = f"Parley, torch {torch.__version__}, {spoken.precision_name}"
        reach_frames = spoken.models.sovits.dec.reach_frames
        self.first_packet_way = f"its engine's first sound; {reach_frames} frames after it known"
        self._task = task
        draw = torch.Generator().manual_seed(1)
        self._phones = torch.randint(300, (1, task.phones), generator=draw)
        self._features = torch.zeros(1, t2s.spec.bert, task.phones)
        self._manner = Manner(Sampling(top_k=task.top_k))

    def sentence(self) -> Sentence:
        """Token by token, and then the whole sentence in one decode."""
        began_s = last_s = time.perf_counter()
        models, reference = self._spoken.models, self._spoken.reference
        inputs = T2sInput.of(
            torch.cat([reference.phones, self._phones], dim=1)[0],
            torch.cat([reference.features, self._features], dim=2)[0],
            reference.codes[0],
        )
        limits = Limits(early_stop=self._task.codes - 1)
        run = models.t2s.join(inputs, self._manner.sampling, 0, limits)
        steps_s: list[float] = []
        work = run.prefill()
        while run.end is None:
            work.run([work])
            now_s = time.perf_counter()
            steps_s.append(now_s - last_s)
            last_s = now_s
            work = run.step()
        run.leave()
        noise = LatentNoise(0, models.sovits.spec.latent, reference.ge.device)
        decoder = StitchedDecoder(
            models.sovits,
            reference.ge,
            noise,
            noise_scale=self._manner.noise_scale,
            speed=1.0,
        )
        decoder.extend(self._phones)
        work, sounded = decoder.work(run.tokens, is_last=True)
        work.run([work])
        return Sentence(steps_s, time.perf_counter() - began_s, len(sounded.samples))

    def first_packet(self) -> FirstPacket:
        """The first sound of the engine's own utterance."""
        began_s = time.perf_counter()
        utterance = Utterance(
            self._spoken.models, self._spoken.reference, self._manner, _NothingYet()
        )
        steps = utterance.say(self._phones, self._features, 0)
        for step in steps:
            if not isinstance(step, Work):
                steps.close()
                return FirstPacket(time.perf_counter() - began_s, len(step.samples))
            step.run([step])
        raise RuntimeError("the utterance ended without a sound")


class _NothingYet:
    """The pace of an utterance of which nothing is played yet."""

    def ahead_s(self) -> float | None:
        return None

    def cost_s(self, kind: Kind, size: int) -> float:
        return 0.0


def load(task: Task) -> Ours:
    """The side of this checkout."""
    return Ours(task)
