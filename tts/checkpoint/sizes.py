"""Reads a model's sizes off its tensors' shapes, and what shapes cannot say off the config.

In: names with shapes, and the config that came with them.  Out: a spec that agrees with both.
Nothing is believed of the config that the shapes contradict, so no config can ask for a model
larger than its weights.  Knows nothing of files or values; pure, any thread.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tts.checkpoint.errors import CheckpointError
from tts.checkpoint.layout import Shape
from tts.spec import (
    CODES,
    DECODER_DILATIONS,
    MRTE_HEADS,
    STYLE_HEADS,
    VERSIONS,
    Family,
    SovitsSpec,
    T2sSpec,
    Version,
    t2s_version,
    tell_version,
    version_named,
)

REFERENCE_RATE_HZ = 32000
"""Sample rate of the reference audio, in every version."""

Config = Mapping[object, object]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a checkpoint shows of itself: the shapes of its tensors, and its config."""

    shapes: Mapping[str, Shape]
    config: Config

    def shape(self, name: str, rank: int) -> Shape:
        """The shape of a tensor that must be there with this many axes."""
        shape = self.shapes.get(name)
        if shape is None:
            raise CheckpointError(f"the tensor {name!r} is missing")
        if len(shape) != rank:
            raise CheckpointError(f"the tensor {name!r} is {list(shape)}; it must have {rank} axes")
        return shape

    def count(self, prefix: str) -> int:
        """How many numbered layers there are below a name."""
        rests = (name[len(prefix) :] for name in self.shapes if name.startswith(prefix))
        return len({rest.split(".", 1)[0] for rest in rests})

    def setting(self, section: str, key: str) -> object:
        """A value of the config; None when it is not there."""
        part = self.config.get(section)
        return part.get(key) if isinstance(part, dict) else None

    def whole_number(self, section: str, key: str) -> int:
        """A value of the config that must be a number of 1 or more."""
        return _positive(self.setting(section, key), f"{section}.{key}")

    def whole_numbers(self, section: str, key: str) -> tuple[int, ...]:
        """A value of the config that must be a list of numbers of 1 or more."""
        return _all_positive(self.setting(section, key), f"{section}.{key}")

    def agree(self, section: str, key: str, value: object, where: str) -> None:
        """Raise unless the config says this value too, or nothing."""
        said = self.setting(section, key)
        if isinstance(value, tuple) and isinstance(said, list):
            said = tuple(said)
        if said is not None and (type(said) is not type(value) or said != value):
            raise CheckpointError(
                f"config {section}.{key} is {_shown(said)}, but the weights have {value} "
                f"({where} {list(self.shapes.get(where, ()))})"
            )


def t2s_spec(seen: Seen) -> tuple[T2sSpec, Version]:
    """The sizes of a T2S model, and the oldest version whose phones it has.

    Raises `CheckpointError` naming what is missing or contradicts.
    """
    codes = "ar_audio_embedding.word_embeddings.weight"
    text = "ar_text_embedding.word_embeddings.weight"
    vocabulary, hidden = seen.shape(codes, 2)
    phones, _ = seen.shape(text, 2)
    _, bert = seen.shape("bert_proj.weight", 2)
    seen.shape("h.layers.0.linear1.weight", 2)
    layers = seen.count("h.layers.")
    if vocabulary != CODES + 1:
        raise CheckpointError(f"{codes!r} has {vocabulary} rows; it must have {CODES + 1}")
    version = t2s_version(phones)
    if version is None:
        raise CheckpointError(f"{text!r} has {phones} rows: fewer than any version's phones")
    seen.agree("model", "hidden_dim", hidden, codes)
    seen.agree("model", "embedding_dim", hidden, codes)
    seen.agree("model", "vocab_size", vocabulary, codes)
    seen.agree("model", "EOS", vocabulary - 1, codes)
    seen.agree("model", "phoneme_vocab_size", phones, text)
    seen.agree("model", "n_layer", layers, "h.layers.0.linear1.weight")
    spec = T2sSpec(
        hidden=hidden,
        heads=_divisor(seen.whole_number("model", "head"), hidden, "config model.head"),
        layers=layers,
        ffn=4 * hidden,
        phones=phones,
        vocabulary=vocabulary,
        eos=vocabulary - 1,
        bert=bert,
        max_sec=_seconds(seen.setting("data", "max_sec")),
    )
    return spec, version


def family_of(names: Mapping[str, Shape]) -> Family:
    """Which family of SoVITS models has tensors of these names."""
    if any(name.startswith("cfm.") for name in names):
        return "flow matching"
    return "speaker" if "sv_emb.weight" in names else "direct"


def sovits_spec(seen: Seen, declared: Sequence[str]) -> tuple[SovitsSpec, Version]:
    """The sizes and the version of a SoVITS model.

    `declared` are version names that the file gives itself, most trusted first.  Raises
    `CheckpointError` naming what is missing or contradicts.
    """
    family = family_of(seen.shapes)
    text, ffn = "enc_p.text_embedding.weight", "enc_p.encoder_text.ffn_layers.0.conv_1.weight"
    relative = "enc_p.encoder_text.attn_layers.0.emb_rel_k"
    symbols, hidden = seen.shape(text, 2)
    filters, _, kernel = seen.shape(ffn, 3)
    twice_latent, _, _ = seen.shape("enc_p.proj.weight", 3)
    mrte_hidden, _, _ = seen.shape("enc_p.mrte.c_pre.weight", 3)
    style_hidden, bins = seen.shape("ref_enc.spectral.0.fc.weight", 2)
    gin, _ = seen.shape("ref_enc.fc.fc.weight", 2)
    _, ssl, _ = seen.shape("enc_p.ssl_proj.weight", 3)
    head = _divisor(seen.shape(relative, 3)[2], hidden, f"the last axis of {relative!r}")
    layers = seen.count("enc_p.encoder_text.attn_layers.")
    latent = twice_latent // 2
    _divisor(2, latent, "the number of halves in the flow")
    _divisor(MRTE_HEADS, mrte_hidden, "the number of MRTE heads")
    _divisor(STYLE_HEADS, style_hidden, "the number of reference encoder heads")
    seen.agree("model", "hidden_channels", hidden, text)
    seen.agree("model", "filter_channels", filters, ffn)
    seen.agree("model", "kernel_size", kernel, ffn)
    seen.agree("model", "n_heads", hidden // head, relative)
    seen.agree("model", "n_layers", layers, relative)
    seen.agree("model", "inter_channels", latent, "enc_p.proj.weight")
    seen.agree("model", "gin_channels", gin, "ref_enc.fc.fc.weight")
    if family != "speaker" and gin != mrte_hidden:
        raise CheckpointError(
            f"'ref_enc.fc.fc.weight' makes speaker vectors of {gin}, 'enc_p.mrte.c_pre.weight' "
            f"takes {mrte_hidden}: they must be equal"
        )
    decoder = _Decoder.seen_in(seen) if family != "flow matching" else _Decoder.none()
    version = _version(seen, family, symbols, decoder, declared)
    spec = SovitsSpec(
        version=version.name,
        symbols=symbols,
        sample_rate_hz=version.sample_rate_hz,
        hop_samples=_hop(seen, bins, decoder),
        hidden=hidden,
        filters=filters,
        heads=hidden // head,
        layers=layers,
        kernel=kernel,
        latent=latent,
        gin=gin,
        ssl=ssl,
        mrte_hidden=mrte_hidden,
        style_hidden=style_hidden,
        reference_bins=bins,
        speaker=seen.shape("sv_emb.weight", 2)[1] if family == "speaker" else 0,
        upsample_initial=decoder.initial,
        upsample_rates=decoder.rates,
        upsample_kernels=decoder.kernels,
        resblock_kernels=decoder.block_kernels,
        resblock_dilations=decoder.dilations,
    )
    return spec, version


@dataclass(frozen=True, slots=True)
class _Decoder:
    """Sizes of the waveform decoder."""

    initial: int
    rates: tuple[int, ...]
    kernels: tuple[int, ...]
    block_kernels: tuple[int, ...]
    dilations: tuple[tuple[int, ...], ...]

    @classmethod
    def none(cls) -> "_Decoder":
        return cls(0, (), (), (), ())

    @classmethod
    def seen_in(cls, seen: Seen) -> "_Decoder":
        initial, _, _ = seen.shape("dec.conv_pre.weight", 3)
        stages, blocks = seen.count("dec.ups."), seen.count("dec.resblocks.")
        kernels = tuple(seen.shape(f"dec.ups.{i}.weight_v", 3)[2] for i in range(stages))
        if not stages or not blocks or blocks % stages or initial < 2**stages:
            raise CheckpointError(
                f"the decoder has {blocks} residual blocks on {stages} stages, the first of them "
                f"{initial} wide: that cannot be divided"
            )
        block_kernels = tuple(
            seen.shape(f"dec.resblocks.{block}.convs1.0.weight_v", 3)[2]
            for block in range(blocks // stages)
        )
        if any(kernel % 2 == 0 for kernel in block_kernels):
            raise CheckpointError(
                f"the decoder's residual blocks have kernels of {list(block_kernels)[:16]}; "
                "they must be odd"
            )
        seen.agree("model", "upsample_initial_channel", initial, "dec.conv_pre.weight")
        seen.agree("model", "upsample_kernel_sizes", kernels, "dec.ups.0.weight_v")
        where = "dec.resblocks.0.convs1.0.weight_v"
        seen.agree("model", "resblock_kernel_sizes", block_kernels, where)
        rates = seen.whole_numbers("model", "upsample_rates")
        pairs = list(zip(kernels, rates, strict=False))
        if len(rates) != stages or any((k - r) % 2 or k < r for k, r in pairs):
            raise CheckpointError(
                f"config model.upsample_rates is {list(rates)[:16]}; the decoder's kernels "
                f"{list(kernels)[:16]} each need a rate that is smaller by 0, 2, 4, ..."
            )
        return cls(initial, rates, kernels, block_kernels, _dilations(seen, len(block_kernels)))


def _dilations(seen: Seen, blocks: int) -> tuple[tuple[int, ...], ...]:
    where = "model.resblock_dilation_sizes"
    rows = seen.setting("model", "resblock_dilation_sizes")
    if not isinstance(rows, list | tuple) or len(rows) != blocks:
        raise CheckpointError(f"config {where} must be a list of {blocks} lists")
    dilations = tuple(_all_positive(row, where) for row in rows)
    if any(len(row) != DECODER_DILATIONS for row in dilations):
        raise CheckpointError(f"config {where} must have {DECODER_DILATIONS} numbers in each list")
    return dilations


def _hop(seen: Seen, bins: int, decoder: _Decoder) -> int:
    hop = seen.whole_number("data", "hop_length")
    most_bins = seen.whole_number("data", "filter_length") // 2 + 1
    if bins > most_bins:
        raise CheckpointError(
            f"'ref_enc.spectral.0.fc.weight' takes {bins} bins; the spectrogram has {most_bins}"
        )
    if decoder.rates and math.prod(decoder.rates) != hop:
        raise CheckpointError(
            f"config model.upsample_rates multiply to {math.prod(decoder.rates)}; "
            f"data.hop_length is {hop}, and they must be equal"
        )
    rate_hz = seen.whole_number("data", "sampling_rate")
    if rate_hz != REFERENCE_RATE_HZ:
        raise CheckpointError(
            f"config data.sampling_rate is {rate_hz}; every version has {REFERENCE_RATE_HZ}"
        )
    return hop


def _version(
    seen: Seen, family: Family, symbols: int, decoder: _Decoder, declared: Sequence[str]
) -> Version:
    """Tell the version, and refuse a file whose marks belong to another family."""
    said = seen.setting("model", "version")
    names = [*declared, *([said] if isinstance(said, str) else [])]
    version = tell_version(family, symbols, decoder.kernels[0] if decoder.kernels else 0, names)
    if version is None:
        known = sorted({v.symbols for v in VERSIONS if v.family == family})
        raise CheckpointError(
            f"'enc_p.text_embedding.weight' has {symbols} rows; known phone tables have "
            f"{' or '.join(map(str, known))}"
        )
    for name in declared:
        marked = version_named(name)
        if marked is not None and marked.family != family:
            raise CheckpointError(
                f"its first bytes say {marked.name}, its weights are those of {version.name}"
            )
    return version


def _positive(value: object, where: str) -> int:
    if type(value) is not int or not 1 <= value < 2**31:
        raise CheckpointError(f"config {where} is {_shown(value)}; it must be 1 or more")
    return value


def _all_positive(values: object, where: str) -> tuple[int, ...]:
    if not isinstance(values, list | tuple):
        raise CheckpointError(f"config {where} is {_shown(values)}; it must be a list of numbers")
    return tuple(_positive(value, where) for value in values)


def _divisor(part: int, whole: int, what: str) -> int:
    if part < 1 or whole % part:
        raise CheckpointError(f"{what} is {part}, which does not divide the width {whole}")
    return part


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 3600:
        raise CheckpointError(
            f"config data.max_sec is {_shown(value)}; it must be above 0 and at most 3600"
        )
    return float(value)


def _shown(value: object) -> str:
    """A value of the file, short enough for a message."""
    if value is None:
        return "missing"
    return str(value)[:40] if isinstance(value, int | float | str) else f"a {type(value).__name__}"
