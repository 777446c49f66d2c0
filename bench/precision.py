"""What lower precision does to the autoregressive model's choices.

    python -m bench precision [--quick] [--tokens 200] [--threads 2] [--checkpoint FILE]

A run is drawn in single precision; then each precision reads the same tokens and says what it
would have drawn next, with the same noise.  Compared are the distributions of every step: the
Kullback-Leibler divergence of the penalised softmax (natural logarithm; the filters after it make
the divergence infinite wherever a border moves), the total variation of the filtered
distribution, and how often the same token is drawn.  Without a checkpoint the weights are
random and of full size: the figures then say how rounding spreads through the layers and nothing
of how it sounds.
"""

import argparse
import copy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.report import result, table
from tts.checkpoint import read_t2s
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
from tts.models.t2s import T2s, T2sInput
from tts.spec import T2sSpec

FULL = T2sSpec(
    hidden=512,
    heads=16,
    layers=24,
    ffn=2048,
    phones=732,
    vocabulary=1025,
    eos=1024,
    bert=1024,
    max_sec=54,
)
PHONES, PROMPT = 70, 125
LOGIT_STD = 3.0
"""Spread of the random model's logits: a choice among some tens of tokens."""


def load(checkpoint: Path | None) -> T2s:
    """The model of a checkpoint, or a random one of full size; in single precision."""
    if checkpoint is not None:
        found = read_t2s(checkpoint)
        cpu = torch.device("cpu")
        return T2s.load(found.spec, found.tensors, dtype=torch.float32, device=cpu)
    torch.manual_seed(0)
    model = T2s(FULL).requires_grad_(False)
    nn.init.normal_(model.head.weight, std=LOGIT_STD * FULL.hidden**-0.5)
    return model


def utterance(spec: T2sSpec) -> T2sInput:
    """Five seconds of reference and a sentence, at random."""
    draw_from = torch.Generator().manual_seed(1)
    return T2sInput.of(
        torch.randint(min(spec.phones, 322), (PHONES,), generator=draw_from),
        torch.randn(spec.bert, PHONES, generator=draw_from),
        torch.randint(spec.eos, (PROMPT,), generator=draw_from),
    )


def in_int8(model: T2s) -> T2s:
    """Linear layers with int8 weights and activations quantised as they come."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the successor of its quantiser
        quantised: T2s = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
            copy.deepcopy(model), {nn.Linear}, dtype=torch.qint8
        )
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


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench and return its JSON object."""
    parser = argparse.ArgumentParser(prog="bench precision", description="Lower precision.")
    parser.add_argument("--quick", action="store_true", help="40 tokens")
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpoint", type=Path, help="a T2S checkpoint; random weights without")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    count = 40 if options.quick else options.tokens
    model = load(options.checkpoint)
    inputs = utterance(model.spec)
    noise = ExponentialNoise(1, model.spec.vocabulary, model.device)
    limits = Limits(early_stop=count - 1)
    tokens = list(decode(model, inputs, sampling=Sampling(), noise=noise, limits=limits))
    exact = forced(model, inputs, tokens)
    variants = {
        "bf16": copy.deepcopy(model).to(torch.bfloat16),
        "fp16": copy.deepcopy(model).to(torch.float16),
        "int8": in_int8(model),
    }
    metrics: dict[str, Any] = {"steps": len(tokens)}
    for name, variant in variants.items():
        found = compare(exact, forced(variant, inputs, tokens), inputs, tokens, noise)
        metrics |= {f"{metric}_{name}": float(f"{value:.3g}") for metric, value in found.items()}
    table(list(metrics.items()))
    return result(
        "precision",
        threads=options.threads,
        settings={
            "tokens": count,
            "phones": PHONES,
            "prompt": PROMPT,
            "weights": "random" if options.checkpoint is None else options.checkpoint.name,
        },
        metrics=metrics,
        targets={},
    )
