"""What lower precision does: to T2S's choices, and to SoVITS's samples.

    python -m bench precision [--quick] [--tokens 100] [--codes 25] [--threads 1]
                              [--t2s FILE] [--sovits FILE]

T2S: a run is drawn in single precision; then each precision reads the same tokens and says what it
would have drawn next, with the same noise.  Compared are the distributions of every step: the
Kullback-Leibler divergence of the penalised softmax (natural logarithm; the filters after it make
the divergence infinite wherever a border moves), the total variation of the filtered
distribution, and how often the same token is drawn.  int8 is that of T2S's own layers
(`tts.modules.int8`); SoVITS has none.

SoVITS: the same codes, phones, speaker and noise are decoded in each precision; compared is the
audio, as signal-to-noise ratio against single precision.  `latent_snr_db` is that of what goes
into flow and waveform decoder, and tells how much of the loss is theirs.

Without files the weights are random and of full size (`bench.random_voice`): the figures then say
how rounding spreads through the layers and nothing of how it sounds.  v2Pro and v2ProPlus share
their T2S.
"""

import argparse
import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from bench import random_voice
from bench.report import result, table
from tts.checkpoint import read_sovits, read_t2s
from tts.engine.sampling import (
    STEPS_WITHOUT_EOS,
    ExponentialNoise,
    Sampling,
    SamplingRows,
    draw,
    penalised,
    probabilities,
    tokens_seen,
)
from tts.engine.t2s_decode import Limits, decode
from tts.models.sovits import Sovits
from tts.models.t2s import Layer, T2s, T2sInput
from tts.spec import T2sSpec

PHONES, PROMPT = 70, 125
QUICK_TOKENS, QUICK_CODES = 8, 2
"""Half precision is slow on a CPU that has no instructions for it."""
NOISE_SCALE = 0.5
CPU = torch.device("cpu")
SOVITS_VERSIONS = ("v2", "v2Pro", "v2ProPlus")
T2S_SEEDS = {"v2": 0, "v2Pro": 1}
FILE = "file"
"""What the model of a file is called in the metrics, where a version's name stands otherwise."""
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def t2s_models(checkpoint: Path | None) -> dict[str, T2s]:
    """The model of a checkpoint, or random ones of full size; in single precision, by name."""
    if checkpoint is not None:
        found = read_t2s(checkpoint)
        return {FILE: T2s.load(found.spec, found.tensors, dtype=torch.float32, device=CPU)}
    models = {}
    for version, seed in T2S_SEEDS.items():
        spec = random_voice.t2s_spec(version)
        values = random_voice.tensors(spec, seed)
        models[version] = T2s.load(spec, values, dtype=torch.float32, device=CPU)
    return models


def sovits_models(checkpoint: Path | None) -> dict[str, Sovits]:
    """The same for SoVITS."""
    if checkpoint is not None:
        found = read_sovits(checkpoint)
        return {FILE: Sovits.load(found.spec, found.tensors, dtype=torch.float32, device=CPU)}
    models = {}
    for version in SOVITS_VERSIONS:
        spec = random_voice.sovits_spec(version)
        values = random_voice.tensors(spec)
        models[version] = Sovits.load(spec, values, dtype=torch.float32, device=CPU)
    return models


def utterance(spec: T2sSpec) -> T2sInput:
    """Five seconds of reference and a sentence, at random."""
    draw_from = torch.Generator().manual_seed(1)
    return T2sInput.of(
        torch.randint(min(spec.phones, 322), (PHONES,), generator=draw_from),
        torch.randn(spec.bert, PHONES, generator=draw_from),
        torch.randint(spec.eos, (PROMPT,), generator=draw_from),
    )


def in_int8(model: T2s) -> T2s:
    """The model with the linear layers of its transformer in int8."""
    quantised = copy.deepcopy(model)
    for layer in cast(Sequence[Layer], quantised.layers):
        layer.quantise()
    return quantised


def forced(model: T2s, inputs: T2sInput, tokens: Sequence[int]) -> Tensor:
    """The logits before each token of a run: [steps, V]."""
    state = model.init_state(1, PHONES + PROMPT + len(tokens))
    logits = [model.prefill(inputs, state)]
    for step, token in enumerate(tokens[:-1]):
        logits.append(model.step(torch.tensor([token]), state, PHONES + PROMPT + step + 1))
    return torch.cat(logits)


def compare(
    exact: Tensor, rough: Tensor, inputs: T2sInput, tokens: Sequence[int], noise: ExponentialNoise
) -> dict[str, float]:
    """How far the choices of two runs over the same tokens lie apart."""
    vocabulary = exact.shape[1]
    drawn = torch.tensor(tokens)
    steps = torch.arange(len(tokens))
    history = torch.cat([inputs.codes[0], drawn]).expand(len(tokens), -1)
    seen = tokens_seen(history, inputs.codes.shape[1] + steps, vocabulary)
    rows = SamplingRows.of([Sampling()] * len(tokens), vocabulary, exact.device)
    barred = torch.zeros(len(tokens), vocabulary, dtype=torch.bool)
    barred[:STEPS_WITHOUT_EOS, -1] = True
    scores = [penalised(x.masked_fill(barred, -1e4), seen, rows) for x in (exact, rough)]
    logs = [x.log_softmax(dim=-1) for x in scores]
    kl = (logs[0].exp() * (logs[0] - logs[1])).sum(dim=-1)
    probs = [probabilities(x, rows) for x in scores]
    rolls = torch.stack([noise(int(step)) for step in steps])
    same = draw(probs[0], rolls) == draw(probs[1], rolls)
    signal = exact.square().mean() / (exact - rough).square().mean()
    return {
        "kl_mean": float(kl.mean()),
        "kl_max": float(kl.max()),
        "tv_filtered_mean": float((probs[0] - probs[1]).abs().sum(dim=-1).mean() / 2),
        "same_token_share": float(same.float().mean()),
        "logit_snr_db": float(10 * signal.log10()),
    }


def t2s_figures(model: T2s, count: int) -> dict[str, float]:
    """What each precision does to a run of so many tokens at most."""
    inputs = utterance(model.spec)
    noise = ExponentialNoise(1, model.spec.vocabulary, model.device)
    limits = Limits(early_stop=count - 1)
    tokens = list(decode(model, inputs, sampling=Sampling(), noise=noise, limits=limits))
    exact = forced(model, inputs, tokens)
    figures: dict[str, float] = {"steps": len(tokens)}
    variants = {
        **{name: copy.deepcopy(model).to(dtype) for name, dtype in HALVES.items()},
        "int8": in_int8(model),
    }
    for name, variant in variants.items():
        found = compare(exact, forced(variant, inputs, tokens), inputs, tokens, noise)
        figures |= {f"{metric}_{name}": float(f"{value:.3g}") for metric, value in found.items()}
    return figures


def sovits_figures(model: Sovits, codes: int) -> dict[str, float]:
    """What each precision does to the audio of so many codes."""
    rng = torch.Generator().manual_seed(1)
    spec = model.spec
    drawn = torch.randint(model.codebook.shape[0], (1, codes), generator=rng)
    phones = torch.randint(spec.symbols, (1, codes // 2), generator=rng)
    ge = torch.randn(1, spec.gin, 1, generator=rng)
    noise = torch.randn(1, spec.latent, model.frames(codes), generator=rng)
    with torch.inference_mode():
        latent = model.latent(drawn, model.encode_text(phones), ge)
        z_p = latent.sample(noise, NOISE_SCALE)
        exact = model.decode_latent(z_p, ge)
        figures = {"seconds": codes * 0.04}
        for name, dtype in HALVES.items():
            half = copy.deepcopy(model).to(dtype)
            latent = half.latent(drawn, half.encode_text(phones), ge.to(dtype))
            low = latent.sample(noise, NOISE_SCALE)
            figures[f"latent_snr_db_{name}"] = round(snr_db(z_p, low), 1)
            low = half.decode_latent(low, ge.to(dtype))
            figures[f"snr_db_{name}"] = round(snr_db(exact, low), 1)
    return figures


def snr_db(exact: Tensor, rough: Tensor) -> float:
    """How far a signal stands above what was done to it."""
    noise = (exact - rough.float()).square().mean()
    return float(10 * (exact.square().mean() / noise).log10())


def named(model: str, figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Figures of several models of a kind under one name each."""
    return {
        f"{model}_{version.lower()}_{name}": value
        for version, found in figures.items()
        for name, value in found.items()
    }


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench and return its JSON object."""
    parser = argparse.ArgumentParser(prog="bench precision", description="Lower precision.")
    parser.add_argument("--quick", action="store_true", help="few tokens, little audio")
    parser.add_argument("--tokens", type=int, default=100, help="of a run of T2S")
    parser.add_argument("--codes", type=int, default=25, help="that SoVITS decodes, 40 ms each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--t2s", type=Path, help="a T2S checkpoint; random weights without")
    parser.add_argument("--sovits", type=Path, help="a SoVITS checkpoint; random weights without")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    tokens = QUICK_TOKENS if options.quick else options.tokens
    codes = QUICK_CODES if options.quick else options.codes
    choices = {name: t2s_figures(m, tokens) for name, m in t2s_models(options.t2s).items()}
    audio = {name: sovits_figures(m, codes) for name, m in sovits_models(options.sovits).items()}
    metrics = {**named("t2s", choices), **named("sovits", audio)}
    table(list(metrics.items()))
    return result(
        "precision",
        threads=options.threads,
        settings={
            "tokens": tokens,
            "codes": codes,
            "phones": PHONES,
            "prompt": PROMPT,
            "t2s_weights": "random" if options.t2s is None else options.t2s.name,
            "sovits_weights": "random" if options.sovits is None else options.sovits.name,
        },
        metrics=metrics,
        targets={},
    )
