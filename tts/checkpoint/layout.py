"""Which tensors a model of given sizes has: every name with its shape.

In: a spec.  Out: a table of names and shapes, as upstream's state dicts have them (weight norm
not fused, without the training-only `enc_q`).  Knows nothing of files or values; pure, any thread.
"""

from tts.spec import (
    CODES,
    DECODER_DILATIONS,
    DECODER_END_KERNEL,
    FLOW_COUPLINGS,
    FLOW_KERNEL,
    FLOW_LAYERS,
    RELATIVE_WINDOW,
    STYLE_KERNEL,
    STYLE_LAYERS,
    SovitsSpec,
    T2sSpec,
)

Shape = tuple[int, ...]
Table = dict[str, Shape]

TRAINING_ONLY = ("enc_q.",)
"""Beginnings of names that official files have and synthesis does not use."""

CODEBOOK = "quantizer.vq.layers.0._codebook."


def t2s_table(spec: T2sSpec) -> Table:
    """Every tensor of a T2S model."""
    width = spec.hidden
    table: Table = {
        **_weight_and_bias("bert_proj", (width, spec.bert)),
        "ar_text_embedding.word_embeddings.weight": (spec.phones, width),
        "ar_text_position.alpha": (1,),
        "ar_audio_embedding.word_embeddings.weight": (spec.vocabulary, width),
        "ar_audio_position.alpha": (1,),
        "ar_predict_layer.weight": (spec.vocabulary, width),
    }
    for layer in range(spec.layers):
        name = f"h.layers.{layer}"
        table[f"{name}.self_attn.in_proj_weight"] = (3 * width, width)
        table[f"{name}.self_attn.in_proj_bias"] = (3 * width,)
        table |= _weight_and_bias(f"{name}.self_attn.out_proj", (width, width))
        table |= _weight_and_bias(f"{name}.linear1", (spec.ffn, width))
        table |= _weight_and_bias(f"{name}.linear2", (width, spec.ffn))
        table |= _weight_and_bias(f"{name}.norm1", (width,))
        table |= _weight_and_bias(f"{name}.norm2", (width,))
    return table


def sovits_table(spec: SovitsSpec) -> Table:
    """Every tensor of a SoVITS model that makes samples itself."""
    return {
        **content_table(spec),
        **_flow(spec),
        **_decoder(spec),
        **(_speaker(spec) if spec.speaker else {}),
    }


def content_table(spec: SovitsSpec) -> Table:
    """The tensors that all versions have: text and reference encoders, content codes."""
    return {
        **_text_encoder(spec),
        **_reference_encoder(spec),
        **_weight_and_bias("ssl_proj", (spec.ssl, spec.ssl, 2)),
        f"{CODEBOOK}inited": (1,),
        f"{CODEBOOK}cluster_size": (CODES,),
        f"{CODEBOOK}embed": (CODES, spec.ssl),
        f"{CODEBOOK}embed_avg": (CODES, spec.ssl),
    }


def _weight_and_bias(name: str, shape: Shape) -> Table:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _normed(name: str, shape: Shape, biases: int) -> Table:
    """A layer with weight norm: gains along the first axis, directions, biases."""
    gains = (shape[0],) + (1,) * (len(shape) - 1)
    return {f"{name}.weight_g": gains, f"{name}.weight_v": shape, f"{name}.bias": (biases,)}


def _text_encoder(spec: SovitsSpec) -> Table:
    width, mrte = spec.hidden, "enc_p.mrte"
    table = {
        **_weight_and_bias("enc_p.ssl_proj", (width, spec.ssl, 1)),
        **_encoder("enc_p.encoder_ssl", spec, spec.layers // 2),
        **_encoder("enc_p.encoder_text", spec, spec.layers),
        "enc_p.text_embedding.weight": (spec.symbols, width),
        **_encoder("enc_p.encoder2", spec, spec.layers // 2),
        **_weight_and_bias(f"{mrte}.c_pre", (spec.mrte_hidden, width, 1)),
        **_weight_and_bias(f"{mrte}.text_pre", (spec.mrte_hidden, width, 1)),
        **_weight_and_bias(f"{mrte}.c_post", (width, spec.mrte_hidden, 1)),
        **_weight_and_bias("enc_p.proj", (2 * spec.latent, width, 1)),
    }
    for part in ("conv_q", "conv_k", "conv_v", "conv_o"):
        shape = (spec.mrte_hidden, spec.mrte_hidden, 1)
        table |= _weight_and_bias(f"{mrte}.cross_attention.{part}", shape)
    return table


def _encoder(name: str, spec: SovitsSpec, layers: int) -> Table:
    width, table = spec.hidden, Table()
    for layer in range(layers):
        attention, ffn = f"{name}.attn_layers.{layer}", f"{name}.ffn_layers.{layer}"
        for part in ("emb_rel_k", "emb_rel_v"):
            table[f"{attention}.{part}"] = (1, 2 * RELATIVE_WINDOW + 1, width // spec.heads)
        for part in ("conv_q", "conv_k", "conv_v", "conv_o"):
            table |= _weight_and_bias(f"{attention}.{part}", (width, width, 1))
        table |= _weight_and_bias(f"{ffn}.conv_1", (spec.filters, width, spec.kernel))
        table |= _weight_and_bias(f"{ffn}.conv_2", (width, spec.filters, spec.kernel))
        for norm in ("norm_layers_1", "norm_layers_2"):
            table[f"{name}.{norm}.{layer}.gamma"] = (width,)
            table[f"{name}.{norm}.{layer}.beta"] = (width,)
    return table


def _reference_encoder(spec: SovitsSpec) -> Table:
    width = spec.style_hidden
    table = {
        **_weight_and_bias("ref_enc.spectral.0.fc", (width, spec.reference_bins)),
        **_weight_and_bias("ref_enc.spectral.3.fc", (width, width)),
        **_weight_and_bias("ref_enc.fc.fc", (spec.gin, width)),
    }
    for layer in range(STYLE_LAYERS):
        shape = (2 * width, width, STYLE_KERNEL)
        table |= _weight_and_bias(f"ref_enc.temporal.{layer}.conv1.conv", shape)
    for part in ("w_qs", "w_ks", "w_vs", "fc"):
        table |= _weight_and_bias(f"ref_enc.slf_attn.{part}", (width, width))
    return table


def _flow(spec: SovitsSpec) -> Table:
    width, half, table = spec.hidden, spec.latent // 2, Table()
    for flow in range(FLOW_COUPLINGS):
        name = f"flow.flows.{2 * flow}"  # the odd ones only swap halves
        table |= _weight_and_bias(f"{name}.pre", (width, half, 1))
        table |= _weight_and_bias(f"{name}.post", (half, width, 1))
        conditions = 2 * width * FLOW_LAYERS
        table |= _normed(f"{name}.enc.cond_layer", (conditions, spec.gin, 1), conditions)
        for layer in range(FLOW_LAYERS):
            gated = (2 * width, width, FLOW_KERNEL)
            table |= _normed(f"{name}.enc.in_layers.{layer}", gated, 2 * width)
            out = width if layer == FLOW_LAYERS - 1 else 2 * width
            table |= _normed(f"{name}.enc.res_skip_layers.{layer}", (out, width, 1), out)
    return table


def _decoder(spec: SovitsSpec) -> Table:
    width = spec.upsample_initial
    table = {
        **_weight_and_bias("dec.conv_pre", (width, spec.latent, DECODER_END_KERNEL)),
        **_weight_and_bias("dec.cond", (width, spec.gin, 1)),
    }
    for stage, kernel in enumerate(spec.upsample_kernels):
        table |= _normed(f"dec.ups.{stage}", (width, width // 2, kernel), width // 2)
        width //= 2
        for block, block_kernel in enumerate(spec.resblock_kernels):
            name = f"dec.resblocks.{stage * len(spec.resblock_kernels) + block}"
            for part in ("convs1", "convs2"):
                for layer in range(DECODER_DILATIONS):
                    shape = (width, width, block_kernel)
                    table |= _normed(f"{name}.{part}.{layer}", shape, width)
    table["dec.conv_post.weight"] = (1, width, DECODER_END_KERNEL)
    return table


def _speaker(spec: SovitsSpec) -> Table:
    return {
        **_weight_and_bias("sv_emb", (spec.gin, spec.speaker)),
        **_weight_and_bias("ge_to512", (spec.mrte_hidden, spec.gin)),
        "prelu.weight": (spec.gin,),
    }
