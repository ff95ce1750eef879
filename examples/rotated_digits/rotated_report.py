"""The figures of the runs as a table and as a file, and whether the detectors learned."""

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from report import AP50_FLOOR, Run
from rotated_evaluate import Matches

#: Heading and format of a figure, by its name in the file.
COLUMNS = {
    "ap": ("AP", ".3f"),
    "ap50": ("AP50", ".3f"),
    "ap75": ("AP75", ".3f"),
    "found": ("found", ".1%"),
    "mean_iou": ("mean IoU", ".3f"),
    "mean_degrees": ("angle error", ".1f"),
    "median_degrees": ("its median", ".1f"),
    "box_loss_ms": ("ms in the box loss", ".2f"),
    "step_ms": ("ms per step", ".1f"),
}
UNITS = {"mean_degrees": "°", "median_degrees": "°"}


@dataclass(frozen=True)
class RotatedRun(Run):
    """One training and its test result; its history watches the mean IoU of the positives."""

    matches: Matches

    def figures(self) -> dict[str, str | float]:
        """The name of the loss and a number for each of COLUMNS."""
        count = len(self.matches.iou)
        return {
            "loss": self.name,
            "ap": self.precision.ap,
            "ap50": self.precision.ap50,
            "ap75": self.precision.ap75,
            "found": count / self.matches.digits,
            "mean_iou": float(self.matches.iou.mean()) if count else 0.0,
            "mean_degrees": float(self.matches.degrees.mean()) if count else 90.0,
            "median_degrees": float(self.matches.degrees.median()) if count else 90.0,
            "box_loss_ms": self.box_loss_ms,
            "step_ms": self.step_ms,
        }


def save_results(path: Path, runs: Iterable[RotatedRun]) -> None:
    """Write the figures as CSV, one line for each run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["loss", *COLUMNS], lineterminator="\n")
        writer.writeheader()
        for run in runs:
            writer.writerow({k: v if k == "loss" else f"{v:.5g}" for k, v in run.figures().items()})


def load_results(path: Path) -> list[dict[str, str | float]]:
    """What save_results has written."""
    with path.open(newline="") as file:
        return [{k: v if k == "loss" else float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def table(rows: Iterable[dict[str, str | float]]) -> str:
    """Figures as a table in Markdown."""
    head = ["loss", *(heading for heading, _ in COLUMNS.values())]
    body = [
        [f"`{row['loss']}`", *(f"{row[name]:{form}}{UNITS.get(name, '')}" for name, (_, form) in COLUMNS.items())]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]

    def line(cells: list[str]) -> str:
        padded = [cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(map(line, [head, rule, *body]))


def shortcomings(runs: Iterable[RotatedRun], must_detect: bool) -> list[str]:
    """What is wrong with the runs, one sentence each; empty if all learned."""
    found = []
    for run in runs:
        loss, iou = run.history.box_loss, run.history.watched
        tenth = max(len(loss) // 10, 1)
        if not all(math.isfinite(x) for x in loss):
            found.append(f"The loss {run.name} is not finite.")
        if not run.final_box_loss < loss[:tenth].mean():
            found.append(f"The loss {run.name} did not fall.")
        if not iou[-tenth:].mean() > iou[:tenth].mean():
            found.append(f"The boxes did not get better with {run.name}.")
        if must_detect and not run.precision.ap50 >= AP50_FLOOR:
            found.append(
                f"The run with {run.name} did not learn: AP50 is {run.precision.ap50:.3f}, under {AP50_FLOOR}."
            )
    return found
