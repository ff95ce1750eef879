"""The command line: ``fastiou info``, ``fastiou kinds`` and ``fastiou bench``."""

from __future__ import annotations

import sys

USAGE = """usage: fastiou COMMAND [ARGUMENTS]

  info    versions, active kernels, and a self-check against the reference
  kinds   the loss kinds, as a Markdown table
  bench   benchmark of the kernels on this machine (fastiou bench --help)
"""


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    command, *arguments = (sys.argv[1:] if argv is None else argv) or [""]
    if command == "info" and not arguments:
        from .info import main as info

        return info()
    if command == "kinds" and not arguments:
        from .info import kinds_table

        print(kinds_table())
        return 0
    if command == "bench":
        from .benchmarks.run import main as bench

        return bench(arguments)
    asked = command in ("-h", "--help")
    print(USAGE, end="", file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2
