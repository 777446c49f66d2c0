"""Reads GPT-SoVITS checkpoints from strangers: safely, wholly checked, without torch.

`read` gives a spec and numpy tensors, `describe` says what a file is, `convert` makes a
safetensors file of it.  One way through: `reading` opens the file, `archive` (torch's zip, with
`pickles`) or `plain` (safetensors) describes what is in it, `sizes` makes the spec of that,
`layout` says which tensors must be there, and `tensors` makes the arrays.  `foreign` names files
that are no checkpoints.
"""

from tts.checkpoint.conversion import convert
from tts.checkpoint.errors import CheckpointError, NeedsBase, UnsupportedVersion, WrongKind
from tts.checkpoint.reading import (
    Checkpoint,
    Description,
    describe,
    read,
    read_sovits,
    read_state,
    read_t2s,
)

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Description",
    "NeedsBase",
    "UnsupportedVersion",
    "WrongKind",
    "convert",
    "describe",
    "read",
    "read_sovits",
    "read_state",
    "read_t2s",
]
