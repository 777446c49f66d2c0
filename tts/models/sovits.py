"""SoVITS v1, v2, v2Pro, v2ProPlus: semantic codes and phones in a voice in, samples out.

Besides `decode`, which is the whole path, its stages are public, because a streaming engine calls
them piece by piece: `encode_text` once a clause, `stream_latent` for all codes so far,
`decode_latent` for a window of frames.  All randomness is an argument.  One code is 40 ms, two
latent frames.  Knows nothing of text, files or streams; one thread at a time.

Shapes: B batch, T phones, S codes, F frames, N samples; ge [B, gin, 1] is the speaker vector.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tts.models import weights
from tts.modules.encoder import Encoder
from tts.modules.flow import Flow
from tts.modules.hifigan import HifiGan
from tts.modules.mrte import Mrte
from tts.modules.style import StyleEncoder
from tts.spec import CODES, FLOW_COUPLINGS, SovitsSpec

FRAMES_PER_CODE = 2

# This module's names for what the files call otherwise.
_RENAMED = {
    "codebook": "quantizer.vq.layers.0._codebook.embed",
    "ref_enc.first.": "ref_enc.spectral.0.fc.",
    "ref_enc.second.": "ref_enc.spectral.3.fc.",
    "ref_enc.temporal.0.conv.": "ref_enc.temporal.0.conv1.conv.",
    "ref_enc.temporal.1.conv.": "ref_enc.temporal.1.conv1.conv.",
    "ref_enc.last.": "ref_enc.fc.fc.",
    # The files count a reversal of the channels between two couplings as a layer.
    **{f"flow.couplings.{n}.": f"flow.flows.{2 * n}." for n in range(FLOW_COUPLINGS)},
}
# The posterior encoder and the codebook's statistics serve training alone.
_UNUSED = r"enc_q\.|quantizer\.vq\.layers\.0\._codebook\.(inited|cluster_size|embed_avg)$"


@dataclass(frozen=True, slots=True)
class Latent:
    """What the text encoder says of each frame: a normal distribution, and what it came from."""

    features: Tensor
    """[B, hidden, F]"""
    mean: Tensor
    """[B, latent, F]"""
    log_sigma: Tensor
    """[B, latent, F]"""
    attention: Tensor
    """[B, 2S, T]: how much each frame of the content, before it was stretched, saw each phone."""

    def cut(self, first: int, last: int) -> "Latent":
        """Frames first..last-1 of it; the attention stays."""
        mean, log_sigma = self.mean[..., first:last], self.log_sigma[..., first:last]
        return Latent(self.features[..., first:last], mean, log_sigma, self.attention)

    def sample(self, noise: Tensor, noise_scale: float) -> Tensor:
        """One draw z_p [B, latent, F] from standard normal noise of that shape."""
        if noise.shape != self.mean.shape:
            raise ValueError(
                f"noise has the shape {list(noise.shape)}, the latent {list(self.mean.shape)}"
            )
        return self.mean + noise.to(self.mean) * self.log_sigma.exp() * noise_scale


class TextEncoder(nn.Module):
    """Content and phones to latent frames; every frame depends on all codes and all phones."""

    def __init__(self, spec: SovitsSpec) -> None:
        super().__init__()

        def encoder(layers: int) -> Encoder:
            return Encoder(spec.hidden, spec.filters, spec.heads, layers, spec.kernel)

        self.ssl_proj = nn.Conv1d(spec.ssl, spec.hidden, 1)
        self.encoder_ssl = encoder(spec.layers // 2)
        self.text_embedding = nn.Embedding(spec.symbols, spec.hidden)
        self.encoder_text = encoder(spec.layers)
        self.mrte = Mrte(spec.hidden, spec.mrte_hidden)
        self.encoder2 = encoder(spec.layers // 2)
        self.proj = nn.Conv1d(spec.hidden, 2 * spec.latent, 1)

    def encode_text(self, phones: Tensor) -> Tensor:
        """Phone ids [B, T] -> [B, hidden, T]."""
        text: Tensor = self.encoder_text(self.text_embedding(phones).mT)
        return text

    def forward(
        self,
        content: Tensor,
        text: Tensor,
        speaker: Tensor,
        frames: int,
        step: float | None = None,
    ) -> Latent:
        """content [B, ssl, F], stretched to `frames` just before the last projection.

        With `step`, frames are so many content frames apart, whatever their number.
        """
        x = self.encoder_ssl(self.ssl_proj(content))
        x, attention = self.mrte(x, text, speaker)
        x = self.encoder2(x)
        if step is not None and step != 1.0:
            missing = max(0, math.ceil(frames * step) + 1 - x.shape[-1])
            x = F.pad(x, (0, missing), mode="replicate")
            x = F.interpolate(x, scale_factor=1 / step, mode="linear")[..., :frames]
        elif frames != x.shape[-1]:
            x = F.interpolate(x, size=frames, mode="linear")
        mean, log_sigma = self.proj(x).chunk(2, dim=1)
        return Latent(features=x, mean=mean, log_sigma=log_sigma, attention=attention)


class Sovits(nn.Module):
    """The acoustic model of a voice; attributes bear the names of the checkpoint."""

    codebook: Tensor
    """Rows that the codes stand for, [CODES, ssl]."""

    def __init__(self, spec: SovitsSpec) -> None:
        super().__init__()
        self.spec = spec
        self.ssl_proj = nn.Conv1d(spec.ssl, spec.ssl, 2, stride=2)
        self.register_buffer("codebook", torch.zeros(CODES, spec.ssl))
        self.enc_p = TextEncoder(spec)
        self.flow = Flow(spec.latent, spec.hidden, spec.gin)
        self.dec = HifiGan(
            latent=spec.latent,
            gin=spec.gin,
            initial=spec.upsample_initial,
            rates=spec.upsample_rates,
            kernels=spec.upsample_kernels,
            resblock_kernels=spec.resblock_kernels,
            resblock_dilations=spec.resblock_dilations,
        )
        self.ref_enc = StyleEncoder(
            bins=spec.reference_bins, hidden=spec.style_hidden, gin=spec.gin
        )
        if spec.speaker:
            self.sv_emb = nn.Linear(spec.speaker, spec.gin)
            self.prelu = nn.PReLU(spec.gin)
            self.ge_to512 = nn.Linear(spec.gin, spec.mrte_hidden)

    @classmethod
    def load(
        cls,
        spec: SovitsSpec,
        tensors: weights.Tensors,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Self:
        """A model with a checkpoint's weights, weight norm fused.

        Raises `CheckpointError` naming the tensor that does not fit the spec.
        """
        with weights.hollow():
            model = cls(spec)
        weights.load(model, tensors, dtype=dtype, device=device, renamed=_RENAMED, unused=_UNUSED)
        model.dec.lay_out()
        return model

    def quantise(self, content: Tensor) -> Tensor:
        """Content features [B, ssl, 2S] of a clip -> its codes [B, S]: the nearest rows.

        Distances are compared in single precision; among equals the first row wins.
        """
        x: Tensor = self.ssl_proj(content).mT.float()  # [B, S, ssl]
        rows = self.codebook.float()
        distance = rows.square().sum(-1) - 2 * (x @ rows.mT)  # less |x|^2, the same for all rows
        return distance.argmin(dim=-1)

    def speaker_vector(
        self, spectrograms: Sequence[Tensor], embeddings: Sequence[Tensor] = ()
    ) -> Tensor:
        """Reference clips -> ge [1, gin, 1], the mean over them.

        A clip is a spectrogram [1, 1025, F]; v2Pro and v2ProPlus want the speaker network's
        embedding [1, E] of each clip besides.  Raises `ValueError` when the numbers do not agree.
        """
        expected = len(spectrograms) if self.spec.speaker else 0
        if not spectrograms or len(embeddings) != expected:
            raise ValueError(
                f"{len(spectrograms)} spectrograms and {len(embeddings)} speaker embeddings given;"
                f" {self.spec.version} needs at least one spectrogram and"
                f" {'as many embeddings' if self.spec.speaker else 'no embedding'}"
            )
        vectors = [self.ref_enc(clip[:, : self.spec.reference_bins]) for clip in spectrograms]
        if self.spec.speaker:
            vectors = [
                self.prelu(vector + self.sv_emb(embedding)[..., None])
                for vector, embedding in zip(vectors, embeddings, strict=True)
            ]
        return torch.stack(vectors).mean(dim=0)

    def frames(self, codes: int, speed: float = 1.0) -> int:
        """How many latent frames `codes` codes make at a speed; above 1 is faster."""
        frames = codes * FRAMES_PER_CODE
        return frames if speed == 1.0 else int(frames / speed) + 1

    def content(self, codes: Tensor) -> Tensor:
        """Codes [B, S] -> content features [B, ssl, 2S]: each one's row of the codebook, twice."""
        rows: Tensor = self.codebook[codes]
        return rows.mT.repeat_interleave(FRAMES_PER_CODE, dim=-1)

    def text_speaker(self, ge: Tensor) -> Tensor:
        """The speaker vector at the width of the text encoder, [B, mrte_hidden, 1]."""
        if not self.spec.speaker:
            return ge
        narrowed: Tensor = self.ge_to512(ge.mT)
        return narrowed.mT

    def encode_text(self, phones: Tensor) -> Tensor:
        """Phone ids [B, T] of the sentence -> text features [B, hidden, T] for `latent`."""
        return self.enc_p.encode_text(phones)

    def latent(self, codes: Tensor, text: Tensor, ge: Tensor, *, speed: float = 1.0) -> Latent:
        """Codes [B, S], text features [B, hidden, T] -> `frames(S, speed)` latent frames.

        Every frame sees all codes and all phones, so a longer run of codes changes every frame.
        """
        frames = self.frames(codes.shape[-1], speed)
        latent: Latent = self.enc_p(self.content(codes), text, self.text_speaker(ge), frames)
        return latent

    def stream_latent(
        self, codes: Tensor, text: Tensor, ge: Tensor, *, speed: float = 1.0
    ) -> Latent:
        """As `latent`, but which content a frame stands for depends on its number alone.

        `latent` stretches to a rounded number of frames, as upstream does, which moves every frame
        a little when there are more codes.  More codes never give fewer frames.
        """
        frames = self.frames(codes.shape[-1], speed)
        latent: Latent = self.enc_p(
            self.content(codes), text, self.text_speaker(ge), frames, step=speed
        )
        return latent

    def decode_latent(
        self, z_p: Tensor, ge: Tensor, first: int = 0, last: int | None = None
    ) -> Tensor:
        """A draw of latent frames [B, latent, F] -> audio [B, N] of the frames first..last-1.

        There are `hop_samples` a frame.  A sample depends on `context_frames` frames each side of
        its own and on no other.
        """
        audio: Tensor = self.dec(self.flow(z_p, ge), ge, first, last)
        return audio

    def decode(
        self,
        codes: Tensor,
        phones: Tensor,
        ge: Tensor,
        noise: Tensor,
        *,
        noise_scale: float = 0.5,
        speed: float = 1.0,
    ) -> Tensor:
        """Codes [B, S] and phones [B, T] -> audio [B, N], a sentence in one go.

        `noise` [B, latent, `frames(S, speed)`] is standard normal.
        """
        latent = self.latent(codes, self.encode_text(phones), ge, speed=speed)
        return self.decode_latent(latent.sample(noise, noise_scale), ge)

    @property
    def context_frames(self) -> int:
        """Frames each side of a frame that its audio depends on."""
        return self.flow.reach_frames + self.dec.reach_frames
