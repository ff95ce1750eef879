"""What no formatter asks of C++ and CUDA: lines that fit a screen."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
SUFFIXES = {".h", ".cuh", ".cpp", ".cu"}


def test_lines_have_at_most_120_columns():
    """.clang-format says how to break them."""
    files = [path for folder in ("csrc", "tests") for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    assert len(files) > 100
    long = [
        f"{path.relative_to(ROOT)}:{number}: {len(line)}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 120
    ]
    assert not long
