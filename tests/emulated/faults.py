"""Runs kernels of emulated_faults.cpp, each in a process of its own, and says in JSON how each ended."""

import json
import os
import sys
import tempfile

import torch
from emulation import load_emulation


def run(name: str, seed: int = 0) -> dict:
    """The numbers that the kernel leaves, or the error; the exit status, and what the process has said."""
    with tempfile.TemporaryFile("w+") as said:
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            os.dup2(said.fileno(), 2)
            try:
                answer = {"numbers": torch.ops.fastiou_emulated_faults.run_case(torch.empty(0), seed, name).tolist()}
            except RuntimeError as error:
                answer = {"error": str(error)}
            os.write(writer, json.dumps(answer).encode())
            os._exit(0)
        os.close(writer)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        with os.fdopen(reader) as pipe:
            answer = pipe.read()
        return {**json.loads(answer or "{}"), "status": os.waitstatus_to_exitcode(status), "said": said.read()}


if __name__ == "__main__":
    load_emulation("emulated_faults.cpp")
    print(json.dumps({name: run(name) for name in sys.argv[1:]}))
