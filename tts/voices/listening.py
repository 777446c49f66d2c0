"""What the networks hear in a voice's clips and texts: codes, speaker vectors, text features.

In: clips, runs of text, and where the pretrained models lie.  Out: arrays for a `Prompt`.  Each
function loads its network, uses it and lets it go.  Single precision.  Blocking, for seconds; one
thread.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tts import checkpoint
from tts.audio.fbank import fbank
from tts.audio.reference import for_content, for_speaker, for_spectrogram
from tts.audio.spectrogram import spectrogram
from tts.checkpoint import CheckpointError
from tts.models.bert import Bert
from tts.models.hubert import Hubert
from tts.models.sovits import Sovits
from tts.models.speaker import SpeakerEncoder
from tts.pretrained import official
from tts.text.frontend import Spoken
from tts.voices.clip import Clip
from tts.voices.errors import VoiceError
from tts.voices.text_features import needs_bert, text_features


def check_files(pretrained_dir: Path, sovits: Sovits, spoken: Sequence[Sequence[Spoken]]) -> None:
    """Make sure that every network is there before any is loaded.

    Raises `MissingPretrained` naming the first file that is not.
    """
    official.find(pretrained_dir, official.HUBERT)
    if sovits.spec.speaker:
        official.find(pretrained_dir, official.SPEAKER)
    if any(map(needs_bert, spoken)):
        official.find(pretrained_dir, official.ROBERTA)


@torch.inference_mode()
def read_texts(
    pretrained_dir: Path, spoken: Sequence[Sequence[Spoken]], width: int, device: torch.device
) -> list[Tensor]:
    """Texts of T phones each -> their features [width, T]; BERT is loaded if one is Chinese."""
    with _loading(official.ROBERTA):
        meaning = None
        if any(map(needs_bert, spoken)):
            folder = official.find(pretrained_dir, official.ROBERTA)
            meaning = Bert(folder, dtype=torch.float32, device=device).features
        return [text_features(runs, meaning, width=width, device=device) for runs in spoken]


@torch.inference_mode()
def hear_content(
    pretrained_dir: Path, clips: Sequence[Clip], sovits: Sovits, device: torch.device
) -> list[NDArray[np.int64]]:
    """Clips -> the semantic codes [S] of each, by HuBERT and the model's own codebook."""
    with _loading(official.HUBERT):
        folder = official.find(pretrained_dir, official.HUBERT)
        hubert = Hubert(folder, dtype=torch.float32, device=device)
    codes = []
    for clip in clips:
        samples = torch.from_numpy(for_content(clip.samples, clip.rate_hz))
        content = hubert.features(samples[None])
        if content.shape[1] != sovits.spec.ssl:
            raise VoiceError(
                f"{official.HUBERT}: gives features of width {content.shape[1]}; the SoVITS"
                f" weights need {sovits.spec.ssl}"
            )
        codes.append(sovits.quantise(content)[0].cpu().numpy())
    return codes


@torch.inference_mode()
def hear_speakers(
    pretrained_dir: Path, groups: Sequence[Sequence[Clip]], sovits: Sovits, device: torch.device
) -> list[NDArray[np.float32]]:
    """Groups of clips -> the speaker vector [gin] of each group, the mean over its clips."""
    spec = sovits.spec
    network = None
    if spec.speaker:
        with _loading(official.SPEAKER):
            tensors = checkpoint.read_state(official.find(pretrained_dir, official.SPEAKER))
            network = SpeakerEncoder.load(tensors, dtype=torch.float32, device=device)
    vectors = []
    for clips in groups:
        shown = [
            spectrogram(for_spectrogram(clip.samples, clip.rate_hz, spec.sample_rate_hz))
            for clip in clips
        ]
        embeddings = [_embedding(network, clip, sovits, device) for clip in clips if network]
        vector = sovits.speaker_vector(
            [torch.from_numpy(one)[None].to(device) for one in shown], embeddings
        )
        vectors.append(vector[0, :, 0].cpu().numpy())
    return vectors


def _embedding(network: SpeakerEncoder, clip: Clip, sovits: Sovits, device: torch.device) -> Tensor:
    """The speaker network's vector [1, E] of a clip."""
    heard = for_speaker(clip.samples, clip.rate_hz, sovits.spec.sample_rate_hz)
    embedding: Tensor = network(torch.from_numpy(fbank(heard))[None].to(device))
    if embedding.shape[1] != sovits.spec.speaker:
        raise VoiceError(
            f"{official.SPEAKER}: gives vectors of width {embedding.shape[1]}; the SoVITS weights"
            f" need {sovits.spec.speaker}"
        )
    return embedding


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """Say of which official file an error is."""
    try:
        yield
    except (CheckpointError, OSError, ValueError) as error:
        raise VoiceError(f"{name}: {error}") from error
