"""Make `sparkplug_b_pb2.py` from `sparkplug_b.proto`; needs grpcio-tools (development only)."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SOURCE = "mes/kernel/proto/sparkplug_b.proto"


def main() -> int:
    """Write the module and its type stub beside the source; return protoc's exit code."""
    from grpc_tools import protoc

    here = str(ROOT)
    return int(protoc.main(["protoc", f"-I{here}", f"--python_out={here}", f"--pyi_out={here}", SOURCE]))


if __name__ == "__main__":
    sys.exit(main())
