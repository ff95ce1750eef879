"""The suites by name."""

from .accuracy.suite import SUITE as ACCURACY
from .losses.suite import SUITE as LOSSES
from .pixels.suite import SUITE as PIXELS
from .rotated.suite import SUITE as ROTATED
from .sets.suite import SUITE as SETS

SUITES = {"losses": LOSSES, "sets": SETS, "rotated": ROTATED, "pixels": PIXELS, "accuracy": ACCURACY}
