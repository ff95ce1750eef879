"""Tables of times and ratios, legible as text and as Markdown."""

from __future__ import annotations

#: How tables and plots call the providers.
NAMES = {
    "torchvision": "torchvision",
    "ultralytics": "Ultralytics",
    "pycocotools": "pycocotools",
    "cython_bbox": "cython_bbox",
    "numpy": "plain NumPy",
    "clean": "plain PyTorch",
    "compile": "torch.compile",
    "fallback": "fallback",
    "compile-fallback": "compiled fallback",
}


def markdown_table(head: list[str], lines: list[list[str]]) -> str:
    """A padded Markdown table; columns of numbers are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    right = [all(line[i][:1] in "0123456789–" for line in lines) for i in range(len(head))]

    def fill(cells: list[str]) -> str:
        padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True))
        return "| " + " | ".join(padded) + " |\n"

    rule = "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True)) + "|\n"
    return fill(head) + rule + "".join(fill(line) for line in lines)


def number(x: float) -> str:
    """Three digits, without an exponent."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def times(ratio: float | None) -> str:
    """A ratio: 12.3x."""
    return "–" if ratio is None else f"{number(ratio)}x"


def duration(micros: float | None) -> str:
    """A time with its unit."""
    if micros is None:
        return "–"
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if micros >= size:
            return f"{number(micros / size)} {unit}"
    return f"{number(micros)} µs"


def size(count: float | None) -> str:
    """A number of bytes with its unit."""
    if count is None:
        return "–"
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if count >= one:
            return f"{number(count / one)} {unit}"
    return f"{number(count / 1e3)} kB"
