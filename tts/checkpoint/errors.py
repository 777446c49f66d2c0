"""Why a file cannot be used as a checkpoint.  The message says what the file is instead."""


class CheckpointError(Exception):
    """The file is no checkpoint that can be used; the message names the file and the reason."""


class WrongKind(CheckpointError):
    """A checkpoint, but of the other model: T2S instead of SoVITS or the other way round."""


class NeedsBase(CheckpointError):
    """A LoRA: differences to a base model, which is not in the file."""


class UnsupportedVersion(CheckpointError):
    """A sound checkpoint of a version that the engine cannot speak with."""
