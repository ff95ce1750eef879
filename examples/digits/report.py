"""The figures of the two runs side by side, and whether they agree."""

from dataclasses import dataclass

from evaluate import Precision
from torch import Tensor
from train import History

WARM_UP = 10
FIRST_STEPS = 20
END_SHARE = 0.1

SAME_STEPS, SAME_TOLERANCE = 4, 1e-4  # so long losses agree to the last digits, and so do the gradients between them
END_TOLERANCE = 0.10
AP50_TOLERANCE = 0.05
AP50_FLOOR = 0.5


@dataclass(frozen=True)
class Run:
    """One training and its test result."""

    name: str
    history: History
    precision: Precision

    @property
    def box_loss_ms(self) -> float:
        """Median milliseconds in the box loss, forward + backward, after the warm-up steps."""
        return float(self.history.box_loss_ms[WARM_UP:].median())

    @property
    def step_ms(self) -> float:
        """Median milliseconds of a whole step, after the warm-up steps."""
        return float(self.history.step_ms[WARM_UP:].median())

    @property
    def rest_ms(self) -> float:
        """Median milliseconds of a step outside the box loss, after the warm-up steps."""
        return float((self.history.step_ms - self.history.box_loss_ms)[WARM_UP:].median())

    @property
    def final_box_loss(self) -> float:
        """Mean box loss of the last steps."""
        return _end(self.history.box_loss)

    @property
    def final_class_loss(self) -> float:
        """Mean class loss of the last steps."""
        return _end(self.history.class_loss)


def table(plain: Run, fused: Run) -> str:
    """The figures of both runs as lines of text."""
    figures = (
        ("box loss, step 1", plain.history.box_loss[0].item(), fused.history.box_loss[0].item()),
        ("box loss, end", plain.final_box_loss, fused.final_box_loss),
        ("class loss, end", plain.final_class_loss, fused.final_class_loss),
        ("AP", plain.precision.ap, fused.precision.ap),
        ("AP50", plain.precision.ap50, fused.precision.ap50),
        ("AP75", plain.precision.ap75, fused.precision.ap75),
        ("ms in the box loss", plain.box_loss_ms, fused.box_loss_ms),
        ("ms outside, same code", plain.rest_ms, fused.rest_ms),
        ("ms per step", plain.step_ms, fused.step_ms),
    )
    early = _relative(fused.history.box_loss, plain.history.box_loss)[:FIRST_STEPS]
    return "\n".join(
        [
            f"{'':<24}{plain.name:>12}{fused.name:>12}{'difference':>12}",
            *(f"{label:<24}{a:>12.4f}{b:>12.4f}{b - a:>+12.4f}" for label, a, b in figures),
            f"relative difference of the box loss curves: first {len(early)} steps "
            f"max {early.max():.1e}, mean {early.mean():.1e}; end {_end_gap(plain, fused):.1e}",
            f"time in the box loss, {plain.name} / {fused.name}: {plain.box_loss_ms / fused.box_loss_ms:.2f}",
        ]
    )


def disagreements(plain: Run, fused: Run, must_learn: bool) -> list[str]:
    """What is wrong with the two runs, one sentence each; empty if they agree.

    Training blows up what rounding leaves, so later steps differ by per cents. How precise a detector is says nothing
    until it has learnt: it must have, to be compared.
    """
    first = float(_relative(fused.history.box_loss, plain.history.box_loss)[:SAME_STEPS].max())
    end_gap = _end_gap(plain, fused)
    ap50_gap = abs(fused.precision.ap50 - plain.precision.ap50)
    found = []
    if not first <= SAME_TOLERANCE:
        found.append(f"The box losses of the first {SAME_STEPS} steps differ by {first:.1e}, over {SAME_TOLERANCE}.")
    if not end_gap <= END_TOLERANCE:
        found.append(f"The final box losses differ by {end_gap:.1%}, over {END_TOLERANCE:.0%}.")
    if must_learn:
        if not ap50_gap <= AP50_TOLERANCE:
            found.append(f"The AP50s differ by {ap50_gap:.3f}, over {AP50_TOLERANCE}.")
        found += [
            f"The run with {run.name} did not learn: AP50 is {run.precision.ap50:.3f}, under {AP50_FLOOR}."
            for run in (plain, fused)
            if not run.precision.ap50 >= AP50_FLOOR
        ]
    return found


def _end(curve: Tensor) -> float:
    """Mean of the last END_SHARE of a curve."""
    return float(curve[-max(round(END_SHARE * len(curve)), 5) :].mean())


def _end_gap(plain: Run, fused: Run) -> float:
    """Relative difference of the final box losses."""
    return abs(fused.final_box_loss / plain.final_box_loss - 1)


def _relative(value: Tensor, reference: Tensor) -> Tensor:
    """Relative differences, element by element."""
    return (value - reference).abs() / reference.abs()
