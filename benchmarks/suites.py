"""The suites by name."""

from .losses.suite import SUITE as LOSSES
from .sets.suite import SUITE as SETS

SUITES = {"losses": LOSSES, "sets": SETS}
