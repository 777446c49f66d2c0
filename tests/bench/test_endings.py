"""Random models end their utterances when they are told to."""

from dataclasses import replace

import pytest
import torch

from bench import endings, random_voice
from tts.engine.sampling import ExponentialNoise, Sampling
from tts.engine.t2s_decode import End, Limits, decode
from tts.models.t2s import T2s, T2sInput

CPU = torch.device("cpu")
SPEC = replace(random_voice.t2s_spec("v2"), hidden=256, heads=8, ffn=512, layers=4, bert=16)
REFERENCE_PHONES, REFERENCE_CODES = 20, 50


def spoken(model: T2s, phones: int, seed: int) -> tuple[int, End]:
    """How many codes the model says some phones in, after the reference, and why it ends."""
    generator = torch.Generator().manual_seed(seed)
    known = REFERENCE_PHONES + phones
    inputs = T2sInput.of(
        torch.randint(300, (known,), generator=generator),
        torch.randn(SPEC.bert, known, generator=generator),
        torch.randint(1024, (REFERENCE_CODES,), generator=generator),
    )
    noise = ExponentialNoise(seed, SPEC.vocabulary, CPU)
    run = decode(model, inputs, sampling=Sampling(), noise=noise, limits=Limits(early_stop=300))
    codes = 0
    while True:
        try:
            next(run)
        except StopIteration as stop:
            return codes, stop.value
        codes += 1


@pytest.mark.golden
@pytest.mark.parametrize("phones", [10, 30, 60])
def test_an_utterance_takes_about_as_long_as_people_take(phones: int) -> None:
    made = random_voice.tensors(SPEC)
    endings.end_as_spoken(made, SPEC)
    model = T2s.load(SPEC, made, dtype=torch.float32, device=CPU)
    for seed in range(3):
        codes, end = spoken(model, phones, seed)
        assert end is End.EOS
        assert codes == pytest.approx(endings.CODES_PER_PHONE * phones, rel=0.15, abs=8)


@pytest.mark.golden
def test_an_utterance_without_end_is_as_long_as_it_may_be() -> None:
    made = random_voice.tensors(SPEC)
    endings.end_never(made, SPEC)
    model = T2s.load(SPEC, made, dtype=torch.float32, device=CPU)
    assert spoken(model, 10, 0) == (301, End.LENGTH)
