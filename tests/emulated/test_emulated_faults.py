"""The emulation finds faults: kernels that are wrong (emulated_faults.cpp), beside ones that are right."""

import functools
import json
import re

import pytest
import sanitized

import fastiou

pytestmark = pytest.mark.skipif(fastiou.backend() == "fallback", reason="there are no headers of torch to compile with")

#: Under every sanitizer: what is wrong with a launch, or with who meets whom.
ERRORS = {
    "left barrier": "waits at __syncthreads, but thread 5 has returned",
    "left shuffle": "waits at a shuffle of lanes 0xffffffff, but thread 40 has returned",
    "split warp": "waits at a vote of lanes 0xffffffff, but thread .* waits at __syncwarp",
    "absent lane": "asks a lane that takes no part",
    "not named": "waits at a vote of lanes 0x1, and does not name itself",
    "no threads": "at most 1024 threads",
    "half warps": "needs whole warps",
    "many threads": "at most 1024 threads",
    "no blocks": "needs blocks",
    "many rows": "at most 2.31 - 1 times 65535 blocks",
    "many columns": "at most 2.31 - 1 times 65535 blocks",
    "large parameters": "at most 4096 bytes of parameters",
}
#: What one of them finds: it ends the process.
FOUND = {
    "undefined": {
        "misaligned": "misaligned address",
        "beyond local": "out of bounds for type 'int \\[4\\]'",
        "overflow": "signed integer overflow",
    },
    "thread": {
        name: "data race"
        for name in (
            "no barrier",
            "no warp barrier",
            "no atomic",
            "no fence",
            "not volatile",
            "last thread",
            "last block",
        )
    },
    "address": {"beyond": "heap-buffer-overflow", "beyond shared": "global-buffer-overflow"},
}
RIGHT = (
    "barrier",
    "warp barrier",
    "atomic",
    "fence",
    "acquire and release",
    "volatile",
    "half a warp",
    "aligned",
    "inside",
    "inside shared",
    "most threads",
)


@functools.cache
def answers(sanitizer: str) -> dict:
    """How all kernels end that the tests below ask of."""
    if reason := sanitized.why_not(sanitizer):
        pytest.skip(reason)
    names = [*ERRORS, *FOUND[sanitizer], *RIGHT]
    done = sanitized.run(sanitizer, sanitized.HERE / "faults.py", *names)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("sanitizer", FOUND)
def test_meetings_and_launches_are_checked(sanitizer):
    for name, message in ERRORS.items():
        assert re.search(message, answers(sanitizer)[name]["error"]), name


@pytest.mark.parametrize("sanitizer", FOUND)
def test_faults_are_found(sanitizer):
    for name, message in FOUND[sanitizer].items():
        answer = answers(sanitizer)[name]
        assert answer["status"] != 0 and re.search(message, answer["said"]), name


@pytest.mark.parametrize("sanitizer", FOUND)
def test_right_kernels_pass(sanitizer):
    numbers = {}
    for name in RIGHT:
        answer = answers(sanitizer)[name]
        assert answer["status"] == 0 and answer["said"] == "", name
        numbers[name] = answer["numbers"]
    assert numbers["barrier"] == [*range(1, 64), 0]
    assert numbers["warp barrier"] == [*range(1, 32), 0, *range(33, 64), 32]
    assert numbers["atomic"][0] == 3 and numbers["volatile"][0] == 63
