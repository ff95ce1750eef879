"""What torch has to know about the operator of the losses of rotated boxes: fake kernel and batching rule."""

from __future__ import annotations

from .rows import rules_of_loss
from .signatures import RotatedOptions

#: Fake kernel and batching rule by operator.
RULES = {"rotated_loss": rules_of_loss("rotated_loss", RotatedOptions)}
