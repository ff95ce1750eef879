"""The goals for errors on rotated boxes, and whether the measurements reach them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..goals import Finding, goals_table
from .groups import THIN
from .results import Results
from .rows import Row
from .tables import KINDS

NEAR = ("one_ulp", "noise_1e-6", "noise_1e-4", "noise_1e-2")
TWINS = ("half_turn", "quarter_turn", "half_turn_radians", "quarter_turn_radians")
#: Not nearly identical boxes: edges that are parallel but for a hundredth of a degree cross nowhere in particular, and
#: one pair in 5,000 has a corner within rounding of the other box's edge, where the gradient of the hull jumps.
GRADIENTS = ("generic", "far", "normalised")
#: Largest errors of the closed forms, computed in float32 by NumPy, at aspects up to 1000.
GAUSSIANS = {"gwd": 1.3e-4, "kld": 1.4e-4, "bcd": 3.7e-5, "kfiou": 9e-6, "probiou": 3.7e-5}
OWN = ("fastiou", "fastiou-loss")


def findings(results: Results, device: str) -> list[Finding]:
    """Every goal on a device."""

    def worst(groups: Iterable[str], column: Callable[[Row], float | None]) -> dict[str, float | None]:
        """By group, of fastiou's scores and losses."""
        rows = {g: [results.find("value", "iou", g, provider, device) for provider in OWN] for g in groups}
        return {g.replace("_", " "): _max(column(row) for row in own if row) for g, own in rows.items()}

    def within(text: str, groups: Iterable[str], limit: float) -> Finding:
        return Finding(device, text, worst(groups, lambda row: row.max_error), lambda x: x <= limit, _short)

    def none(text: str, share: float | None) -> Finding:
        return Finding(device, text, {"": share}, lambda x: x == 0, lambda x: f"{100 * x:g} % are not" if x else "all")

    def gradients(group: str) -> list[Row]:
        return results.select(task="gradient", group=group, device=device)

    groups = dict.fromkeys(row.group for row in results.select(task="value", device=device))
    closed_forms = {
        KINDS[kind]: row.max_error / limit
        for kind, limit in GAUSSIANS.items()
        if (row := results.find("gaussian", kind, THIN, "fastiou", device)) and row.max_error is not None
    }
    return [
        none("Identical boxes: IoU exactly 1", _max(worst(["identical"], lambda row: 1 - row.exact).values())),
        within("One rectangle written in two ways, aspect to 60: within 5e-6", TWINS, 5e-6),
        within("Boxes one unit in the last place to 1e-2 apart: within 2e-6", NEAR, 2e-6),
        within("Normalised boxes: within 2e-6", ["normalised"], 2e-6),
        within("Disjoint boxes: exactly 0", ["disjoint"], 0.0),
        none("IoU in [0, 1], in all groups", _max(worst(groups, lambda row: row.outside + row.nan).values())),
        Finding(device, "Gradients of all kinds: 99.99 % within 5e-6, relative to the extent",
                {group: _max(row.p9999_error for row in gradients(group)) for group in GRADIENTS},
                lambda x: x <= 5e-6, _short),
        Finding(device, "Gradients of identical boxes: exactly 0",
                {"": _max(row.max_error for row in gradients("identical"))}, lambda x: x == 0, _short),
        Finding(device, "Gaussian distances, aspect to 1000: error over that of closed forms in float32, at most 1",
                closed_forms, lambda x: x <= 1, _short),
    ]  # fmt: skip


def targets_table(results: Results) -> str:
    """Goal, measured numbers and verdict."""
    devices = dict.fromkeys(row.device for row in results.rows)
    return goals_table([one for device in devices for one in findings(results, device)], "Goal", "Measured")


def _max(numbers: Iterable[float | None]) -> float | None:
    return max((x for x in numbers if x is not None), default=None)


def _short(x: float) -> str:
    return f"{x:.2g}"
