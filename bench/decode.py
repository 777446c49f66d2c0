"""How fast the two models of a cloned voice are: tokens a second, and sound against real time.

    python -m bench decode [--quick] [--versions v2 v2Pro v2ProPlus] [--threads 2] [--device cpu]
                           [--rows 1 2 4] [--dtype auto] [--t2s-dtype auto]

Utterances after a reference of 5 s, at full size with random weights (`bench.random_voice`):
arithmetic takes as long as with trained ones.  Models are run as the engine runs them, in the
precision that it takes by itself on the device.  The ceiling of T2S is what memory allows: every
step reads all weights of its layers once, and `memory_gb_per_s` is measured by summing an array
larger than any cache.  One run of everything warms up and is not counted.

- first_token: reading what comes before it, and drawing it;
- step, tokens_per_s: of each token after it; `rows4` of four utterances stepped together, all
  tokens counted;
- decoder_x_realtime: two seconds of sound in one go; first_sound: the engine's first chunk, with
  what it must know after it;
- clause: the tokens of two seconds and their sound, one after the other.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from bench import random_voice
from bench.random_models import Spoken, random_models
from bench.report import percentiles, result, table
from tts.engine.latent_noise import LatentNoise
from tts.engine.sampling import Sampling
from tts.engine.stitched import StitchedDecoder
from tts.engine.t2s_decode import Limits
from tts.engine.t2s_runtime import Run
from tts.models.sovits import FRAMES_PER_CODE
from tts.models.t2s import T2sInput

PHONES, REFERENCE_PHONES, REFERENCE_CODES = 14, 60, 125
"""A clause of five English words, after 5 s of reference."""
CODES = 50
"""Two seconds of sound."""
TOKENS_PER_S = 25
FIRST_FRAMES = 6
"""Of a first chunk of sound: 120 ms."""
_MEMORY_BYTES = {"cpu": 1 << 29, "cuda": 1 << 32}


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench."""
    options = _options(argv)
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    memory = memory_gb_per_s(device)
    metrics: dict[str, Any] = {"memory_gb_per_s": round(memory, 1)}
    precisions = {}
    for version in options.versions:
        spoken = random_models(
            version,
            device,
            rows=max(options.rows),
            reference_codes=REFERENCE_CODES,
            reference_phones=REFERENCE_PHONES,
            dtype=options.dtype,
            t2s_dtype=options.t2s_dtype,
        )
        precisions[version] = spoken.precision_name
        metrics |= measure(spoken, version.lower(), options.rows, options.repeats, memory)
    table(list(metrics.items()))
    return result(
        "decode",
        settings={
            "versions": options.versions,
            "repeats": options.repeats,
            "rows": options.rows,
            "weights": "random",
            "precision": precisions,
        },
        metrics=metrics,
        targets={},
        device=device_name(device),
        threads=options.threads,
    )


def measure(
    spoken: Spoken, name: str, rows: Sequence[int], repeats: int, memory: float
) -> dict[str, Any]:
    """The metrics of one version."""
    first_s: list[float] = []
    sound_s: list[float] = []
    first_sound_s: list[float] = []
    step_s: dict[int, list[float]] = {count: [] for count in (1, *rows)}
    reach_codes = -(-spoken.models.sovits.dec.reach_frames // FRAMES_PER_CODE)
    for repeat in range(repeats + 1):
        measured = {count: _stepped_s(spoken, count) for count in step_s}
        sounding = _sounding_s(spoken, CODES, None)
        first_sounding = _sounding_s(
            spoken, FIRST_FRAMES // FRAMES_PER_CODE + reach_codes, FIRST_FRAMES
        )
        if not repeat:
            continue
        first_s.append(measured[1][0])
        sound_s.append(sounding)
        first_sound_s.append(first_sounding)
        for count, (_, each_s) in measured.items():
            step_s[count] += each_s
    step, first, sound = (float(np.median(s)) for s in (step_s[1], first_s, sound_s))
    found = {
        **percentiles(f"t2s_{name}_first_token_ms", [1000 * s for s in first_s], digits=1),
        **percentiles(f"t2s_{name}_step_ms", [1000 * s for s in step_s[1]], digits=2),
        f"t2s_{name}_tokens_per_s": round(1 / step, 1),
        f"t2s_{name}_limit_tokens_per_s": round(memory * 1e9 / spoken.t2s_bytes, 1),
        f"decoder_{name}_x_realtime": round(CODES / TOKENS_PER_S / sound, 2),
        **percentiles(f"first_sound_{name}_ms", [1000 * s for s in first_sound_s], digits=1),
        f"clause_{name}_s_p50": round(first + (CODES - 1) * step + sound, 3),
    }
    for count in rows:
        if count > 1:
            together = float(np.median(step_s[count]))
            found[f"t2s_{name}_tokens_per_s_rows{count}"] = round(count / together, 1)
    return found


def _stepped_s(spoken: Spoken, rows: int) -> tuple[float, list[float]]:
    """Seconds of the first token of one utterance, and of each further step of all of them."""
    runs = [_joined(spoken, seed) for seed in range(rows)]
    prefills = [run.prefill() for run in runs]
    first_s = elapsed_s(lambda: prefills[0].run(prefills[:1]))
    for one in prefills[1:]:
        one.run([one])
    each_s: list[float] = []
    while any(run.end is None for run in runs):
        works = [run.step() for run in runs]
        before = len(runs[0].tokens)
        spent_s = elapsed_s(lambda works=works: works[0].run(works))  # type: ignore[misc]
        drawn = len(runs[0].tokens) - before
        if drawn == works[0].size:  # the last work may draw past the end
            each_s += [spent_s / drawn] * drawn
    for run in runs:
        run.leave()
    return first_s, each_s


def _joined(spoken: Spoken, seed: int) -> Run:
    reference, runtime = spoken.reference, spoken.models.t2s
    draw = torch.Generator().manual_seed(seed)
    phones = torch.randint(300, (PHONES,), generator=draw).to(runtime.model.device)
    features = reference.features.new_zeros(runtime.model.spec.bert, PHONES)
    inputs = T2sInput.of(
        torch.cat([reference.phones[0], phones]),
        torch.cat([reference.features[0], features], dim=1),
        reference.codes[0],
    )
    return runtime.join(inputs, Sampling(), seed, Limits(early_stop=CODES - 1))


def _sounding_s(spoken: Spoken, codes: int, most_frames: int | None) -> float:
    """Seconds that the sound of so many codes takes; with `most_frames` those of its beginning."""
    models, reference = spoken.models, spoken.reference
    draw = torch.Generator().manual_seed(1)
    drawn = torch.randint(1024, (codes,), generator=draw).tolist()
    decoder = StitchedDecoder(
        models.sovits,
        reference.ge,
        LatentNoise(0, models.sovits.spec.latent, reference.ge.device),
        noise_scale=0.5,
        speed=1.0,
    )
    decoder.extend(torch.randint(300, (1, PHONES), generator=draw).to(reference.phones.device))
    is_last = most_frames is None
    work, _ = decoder.work(drawn, is_last=is_last, most_frames=most_frames)
    return elapsed_s(lambda: work.run([work]))


def elapsed_s(work: Callable[[], object]) -> float:
    """Seconds that a call takes; what it works on a GPU it waits for by itself."""
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def memory_gb_per_s(device: torch.device) -> float:
    """What the memory gives, reading: to this many threads, or to the GPU."""
    size_bytes = _MEMORY_BYTES[device.type]
    array = torch.ones(size_bytes // 4, device=device)
    best_s = min(elapsed_s(lambda: float(array.sum())) for _ in range(5))
    return size_bytes / best_s / 1e9


def device_name(device: torch.device) -> str:
    """The device for the report: "cpu", or the GPU's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench decode")
    parser.add_argument("--quick", action="store_true", help="one version, few repeats")
    parser.add_argument("--versions", nargs="+", choices=random_voice.NAMES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 2, 4], help="stepped together")
    parser.add_argument("--dtype", default="auto", help="of SoVITS, and of T2S unless told")
    parser.add_argument("--t2s-dtype", default="auto", help='of T2S; also "int8"')
    options = parser.parse_args(argv)
    options.versions = options.versions or (
        ["v2"] if options.quick else ["v2", "v2Pro", "v2ProPlus"]
    )
    options.repeats = 2 if options.quick else 8
    return options
