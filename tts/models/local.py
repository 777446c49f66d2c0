"""Networks of `transformers` from local folders: all of their weights, and no word on the terminal.

In: a class of `transformers` and a folder that its networks are kept in.  Out: the network, frozen.
Nothing is downloaded.  One thread at a time: the library's messages are switched for the process.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging as messages

_TRAINING_ONLY = frozenset({"masked_spec_embed"})


def load(
    kind: type[PreTrainedModel],
    folder: Path,
    *,
    config: PreTrainedConfig | None = None,
    dtype: torch.dtype,
    device: torch.device,
    **options: bool,
) -> nn.Module:
    """The network of a folder; `options` are those of the class.

    Raises `FileNotFoundError` when the folder has no config.json, and `ValueError` for files that
    cannot be read or do not fit, and for weights that are missing.
    """
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} is not a {kind.__name__} folder: it has no config.json")
    with quiet():
        read: Callable[..., Any] = kind.from_pretrained
        try:
            model, about = read(
                folder, config=config, local_files_only=True, output_loading_info=True, **options
            )
        except Exception as error:  # of many kinds: of this library, of torch, of safetensors
            raise ValueError(f"{folder} cannot be loaded: {error}") from error
    missing = sorted(set(about["missing_keys"]) - _TRAINING_ONLY)
    if missing:
        raise ValueError(f"{folder} lacks weights of the network: {', '.join(missing[:3])}")
    frozen: nn.Module = model.to(device=device, dtype=dtype).requires_grad_(False).eval()
    return frozen


@contextmanager
def quiet() -> Iterator[None]:
    """Keep `transformers` from reporting what it loads."""
    logging: Any = messages
    verbosity, shows_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shows_bars:
            logging.enable_progress_bar()
