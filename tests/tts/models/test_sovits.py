"""SoVITS computes what upstream computes, stage by stage and as a whole."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.golden.compare import CHAIN, MODULE, error, snr_db
from tests.tts.models.golden_sovits import CPU, FULL_SIZE, VERSIONS, full, small, tensors
from tts.audio.spectrogram import spectrogram
from tts.models.sovits import Latent, Sovits

SPEEDS = [(1.0, ""), (1.25, "_speed125"), (0.8, "_speed80")]
pytestmark = pytest.mark.golden
every_version = pytest.mark.parametrize("version", VERSIONS)


def clip(samples: Tensor) -> Tensor:
    """The spectrogram of a reference clip [1, N], as the model takes it."""
    return torch.from_numpy(spectrogram(samples[0].numpy()))[None]


def given(golden: Mapping[str, Tensor], *names: str) -> list[Tensor]:
    """Those of the arrays that a version has."""
    return [golden[name] for name in names if name in golden]


def latent_of(model: Sovits, golden: Mapping[str, Tensor], speed: float) -> Latent:
    text = model.encode_text(golden["text"])
    return model.latent(golden["dec_codes"][0], text, golden["ge"], speed=speed)


def spoken(
    model: Sovits, golden: Mapping[str, Tensor], noise: str = "noise", speed: float = 1.0
) -> Tensor:
    return model.decode(
        golden["dec_codes"][0], golden["text"], golden["ge"], golden[noise], speed=speed
    )


@every_version
def test_a_clip_gets_upstreams_codes(version: str) -> None:
    golden = tensors("npz", f"sovits_{version}")
    assert torch.equal(small(version).quantise(golden["ssl"]), golden["codes"][0])


@every_version
def test_a_code_stands_for_its_row_twice(version: str) -> None:
    golden = tensors("npz", f"sovits_{version}")
    assert torch.equal(small(version).content(golden["dec_codes"][0]), golden["quantized"])


@every_version
def test_a_clip_gets_upstreams_speaker_vector(version: str) -> None:
    golden = tensors("npz", f"sovits_{version}")
    vector = small(version).speaker_vector([clip(golden["wav_ref"])], given(golden, "sv_emb"))
    assert error(vector, golden["ge"]) <= MODULE
    if "ge512" in golden:
        assert error(small(version).text_speaker(golden["ge"]), golden["ge512"]) <= MODULE


@every_version
def test_several_clips_give_the_mean_of_their_vectors(version: str) -> None:
    golden = tensors("npz", f"sovits_{version}")
    model = small(version)
    clips = [clip(golden["wav_ref"]), clip(golden["wav_ref2"])]
    vector = model.speaker_vector(clips, given(golden, "sv_emb", "sv_emb2"))
    assert error(vector, golden["ge_two_refs"]) <= MODULE
    audio = model.decode(
        golden["dec_codes"][0], golden["text"], vector, golden["noise"], noise_scale=0.35
    )
    assert error(audio, golden["audio_two_refs_ns035"][0]) <= CHAIN


@every_version
@pytest.mark.parametrize(("speed", "suffix"), SPEEDS)
def test_codes_and_phones_give_upstreams_latent(version: str, speed: float, suffix: str) -> None:
    golden = tensors("npz", f"sovits_{version}")
    model = small(version)
    latent = latent_of(model, golden, speed)
    assert error(latent.features, golden[f"enc_p_x{suffix}"]) <= MODULE
    assert error(latent.mean, golden[f"enc_p_m{suffix}"]) <= MODULE
    assert error(latent.log_sigma, golden[f"enc_p_logs{suffix}"]) <= MODULE
    assert latent.mean.shape[-1] == model.frames(golden["dec_codes"].shape[-1], speed)


@every_version
@pytest.mark.parametrize(("speed", "suffix"), SPEEDS[:2])
def test_codes_and_phones_give_upstreams_audio(version: str, speed: float, suffix: str) -> None:
    golden = tensors("npz", f"sovits_{version}")
    model = small(version)
    audio = spoken(model, golden, f"noise{suffix}", speed)
    assert error(audio, golden[f"audio{suffix}"][0]) <= CHAIN


@every_version
def test_noise_and_flow_make_upstreams_latent_draw(version: str) -> None:
    golden = tensors("npz", f"sovits_{version}")
    model = small(version)
    z_p = latent_of(model, golden, 1.0).sample(golden["noise"], 0.5)
    assert error(z_p, golden["z_p"]) <= MODULE
    assert error(model.flow(golden["z_p"], golden["ge"]), golden["z"]) <= MODULE
    assert error(model.flow(golden["flow_in"], golden["ge"]), golden["flow_out"]) <= MODULE


@every_version
def test_the_waveform_decoder_gives_upstreams_samples(version: str) -> None:
    golden = tensors("npz", f"sovits_{version}")
    model = small(version)
    assert error(model.dec(golden["flow_in"], golden["ge"]), golden["dec_out"][0]) <= MODULE
    assert error(model.decode_latent(golden["z_p"], golden["ge"]), golden["audio"][0]) <= CHAIN


@every_version
def test_audio_has_a_hop_of_samples_for_each_frame(version: str) -> None:
    golden = tensors("npz", f"sovits_{version}")
    model = small(version)
    frames = golden["noise_speed80"].shape[-1]
    audio = spoken(model, golden, "noise_speed80", 0.8)
    assert audio.shape == (1, frames * model.spec.hop_samples)


@pytest.mark.real
@every_version
def test_full_size_models_compute_what_upstream_computes(version: str) -> None:
    golden = tensors("full", f"sovits_{version}")
    model = full(version)
    assert torch.equal(model.quantise(golden["ssl"]), golden["codes"][0])
    vector = model.speaker_vector([clip(golden["wav_ref"])], given(golden, "sv_emb"))
    assert error(vector, golden["ge"]) <= MODULE
    if "ge512" in golden:
        assert error(model.text_speaker(golden["ge"]), golden["ge512"]) <= MODULE
    latent = latent_of(model, golden, 1.0)
    assert error(latent.mean, golden["enc_p_m"]) <= MODULE
    assert error(latent.log_sigma, golden["enc_p_logs"]) <= MODULE
    z = model.flow(latent.sample(golden["noise"], 0.5), golden["ge"])
    assert error(z, golden["z"]) <= MODULE
    assert error(spoken(model, golden), golden["audio"][0]) <= CHAIN


@every_version
@pytest.mark.parametrize(("dtype", "floor_db"), [(torch.bfloat16, 25.0), (torch.float16, 45.0)])
def test_half_precision_stays_close(version: str, dtype: torch.dtype, floor_db: float) -> None:
    golden = tensors("npz", f"sovits_{version}")
    model = small(version, dtype)
    audio = model.decode(
        golden["dec_codes"][0], golden["text"], golden["ge"].to(dtype), golden["noise"]
    )
    assert audio.dtype == dtype
    assert snr_db(audio.float(), golden["audio"][0]) >= floor_db


# Parameters of upstream's classes without the posterior encoder, counted there.
UPSTREAM_PARAMETERS = {
    "v1": 40_778_112,
    "v2": 40_815_744,
    "v2Pro": 65_788_032,
    "v2ProPlus": 84_698_368,
}
# Their weight norm splits each weight into a direction and one gain for each of its rows.
GAINS = {"v1": 27_584, "v2": 27_584, "v2Pro": 27_584, "v2ProPlus": 32_544}


@every_version
def test_full_size_models_have_upstreams_parameters_with_weight_norm_fused(version: str) -> None:
    with torch.device("meta"):
        model = Sovits(FULL_SIZE[version])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert parameters + GAINS[version] == UPSTREAM_PARAMETERS[version]


@every_version
def test_audio_depends_on_43_frames_each_side(version: str) -> None:
    model = small(version, torch.float64)
    reach = model.context_frames
    assert reach == 43
    middle = reach + 4
    generator = torch.Generator().manual_seed(1)
    shape = (1, model.spec.latent, 2 * middle + 1)
    z_p = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    ge = torch.randn((1, model.spec.gin, 1), generator=generator, dtype=torch.float64)
    audio = model.decode_latent(z_p, ge)
    hop = model.spec.hop_samples
    audio[:, middle * hop : (middle + 1) * hop].square().sum().backward()
    assert z_p.grad is not None
    touched = z_p.grad.abs().sum(dim=(0, 1)).nonzero().flatten()
    assert (touched.min(), touched.max()) == (middle - reach, middle + reach)


@every_version
def test_neighbours_in_a_batch_change_nothing(version: str) -> None:
    golden = tensors("npz", f"sovits_{version}")
    model = small(version)
    codes = torch.cat([golden["dec_codes"][0], golden["dec_codes"][0].flip(1)])
    phones = golden["text"].expand(2, -1)
    noise = torch.cat([golden["noise"], golden["noise"].flip(2)])
    together = model.decode(codes, phones, golden["ge"].expand(2, -1, -1), noise)
    assert error(together[:1], spoken(model, golden)) <= MODULE


def test_noise_of_another_shape_is_refused() -> None:
    golden = tensors("npz", "sovits_v2")
    with pytest.raises(ValueError, match=r"noise has the shape \[1, 10, 23\], the latent \[1, 10"):
        spoken(small("v2"), golden, "noise_speed125")


def test_a_missing_speaker_embedding_is_refused() -> None:
    golden = tensors("npz", "sovits_v2Pro")
    with pytest.raises(ValueError, match="v2Pro needs .* as many embeddings"):
        small("v2Pro").speaker_vector([clip(golden["wav_ref"])])


def test_an_embedding_that_the_version_does_not_know_is_refused() -> None:
    golden = tensors("npz", "sovits_v2")
    with pytest.raises(ValueError, match="v2 needs .* no embedding"):
        small("v2").speaker_vector([clip(golden["wav_ref"])], [torch.zeros(1, 1280)])


def test_a_loaded_model_is_frozen() -> None:
    model = small("v2")
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert {parameter.device for parameter in model.parameters()} == {CPU}


def test_equally_near_codes_give_the_first() -> None:
    model = small("v2", torch.float64)
    codebook = model.codebook.clone()
    golden = tensors("npz", "sovits_v2")
    code = int(golden["codes"][0, 0, 0])
    other = (code + 500) % len(codebook)
    codebook[other] = codebook[code]
    twin = Sovits(model.spec).to(torch.float64)
    twin.load_state_dict({**model.state_dict(), "codebook": codebook})
    found = twin.quantise(golden["ssl"].to(torch.float64))
    assert int(found[0, 0]) == min(code, other)
    assert not np.isin(max(code, other), found.numpy())
