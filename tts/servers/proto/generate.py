"""Make the checked-in stubs from `tts.proto`: `python -m tts.servers.proto.generate`.

In: `tts.proto` beside this file.  Out: `tts_pb2.py`, `tts_pb2.pyi`, `tts_pb2_grpc.py` beside it,
or under another root.  Needs `grpcio-tools` (a development dependency) at the version pinned
there: stubs must not be newer than the protobuf runtime they meet.
"""

import sys
from importlib.resources import files
from pathlib import Path

PROTO = Path(__file__).with_name("tts.proto")
ROOT = PROTO.parents[3]
STUBS = ("tts_pb2.py", "tts_pb2.pyi", "tts_pb2_grpc.py")


def generate(out_root: Path) -> None:
    """Write the stubs under `out_root`, in the folders that their imports name.

    Raises `RuntimeError` when protoc refuses the file.
    """
    from grpc_tools import protoc

    status = protoc.main(
        [
            "protoc",
            f"--proto_path={ROOT}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--python_out={out_root}",
            f"--pyi_out={out_root}",
            f"--grpc_python_out={out_root}",
            str(PROTO),
        ]
    )
    if status != 0:
        raise RuntimeError(f"protoc failed on {PROTO.name} with status {status}")


if __name__ == "__main__":
    generate(ROOT)
    sys.stdout.write(f"wrote {', '.join(STUBS)}\n")
