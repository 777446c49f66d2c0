"""Turns a checkpoint into a safetensors file, once, so that no pickle is read again.

In: the path of any checkpoint that `reading` takes, and where to write.  Out: the file and its
SHA-256.  A reader never sees half a file.  Blocking; call it from a worker thread.
"""

import hashlib
import os
from pathlib import Path

from tts.checkpoint.plain import write_plain
from tts.checkpoint.reading import read
from tts.spec import SovitsSpec, T2sSpec


def convert(path: Path | str, out: Path | str) -> str:
    """Write the checkpoint at `path` to `out` and return the SHA-256 of what was written.

    Reading `out` gives the same spec, tensors and info.  The same checkpoint gives the same bytes.
    Raises what `read` raises, and `OSError` when `out` cannot be written; then `out` is as it was.
    """
    checkpoint = read(path)
    out = Path(out)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with open(part, "xb") as file:
            write_plain(file, checkpoint.tensors, config_of(checkpoint.spec), checkpoint.info)
            file.flush()
            os.fsync(file.fileno())
        with open(part, "rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return digest


def config_of(spec: T2sSpec | SovitsSpec) -> dict[str, object]:
    """What upstream's config must say for the reader to come to this spec again."""
    if isinstance(spec, T2sSpec):
        return {"model": {"head": spec.heads}, "data": {"max_sec": spec.max_sec}}
    return {
        "model": {
            "version": spec.version,
            "upsample_rates": list(spec.upsample_rates),
            "resblock_dilation_sizes": [list(row) for row in spec.resblock_dilations],
        },
        "data": {
            "sampling_rate": spec.sample_rate_hz,
            "filter_length": 2 * (spec.reference_bins - 1),
            "hop_length": spec.hop_samples,
        },
    }
