"""The detector with an angle: the same network, six numbers for a box, and who has to predict which."""

import torch
import torch.nn.functional as F
from model import STRIDE, Detector, grid_points
from targets import CENTRE_RADIUS, Targets, choose
from torch import Tensor


class RotatedDetector(Detector):
    """Maps images (B, 1, S, S) to class logits (B, 10, H, W) and rotated boxes (B, 5, H, W): cx, cy, w, h, r.

    The last layer has the offset of the centre, the size, and the direction (cos 2r, sin 2r) of a length that does not
    matter: it is the same for r and r + 180 degrees, which are the same rectangle, and nothing jumps in between.
    """

    # Boxes begin tall and upright, so that the network does not have to decide which side is the height.
    box_bias = 0.0, 0.0, 4.0, 8.0, 1.0, 0.0

    def read(self, raw: Tensor) -> Tensor:
        """Boxes (B, 5, H, W) in pixels and radians from the last layer's numbers (B, 6, H, W)."""
        offset, size, double = raw.split(2, dim=1)
        centre = grid_points(*raw.shape[-2:]).permute(2, 0, 1) + STRIDE * offset
        r = torch.atan2(double[:, 1:], double[:, :1]) / 2
        return torch.cat([centre, F.softplus(size) * STRIDE, r], dim=1)

    def decode(self, head: Tensor) -> Tensor:
        """The head's boxes (B, H, W, 5), which are as the canvases have them."""
        return head.permute(0, 2, 3, 1)


def assign_rotated(boxes: Tensor, labels: Tensor, height: int, width: int) -> Targets:
    """Give each location near the centre of a digit, and inside of its box, that digit.

    boxes (B, M, 5) are cx, cy, w, h, r in pixels and radians; labels (B, M) are -1 in unused slots.
    """
    points = grid_points(height, width)
    boxes = boxes[:, None, None]
    offset, size, r = (points[:, :, None] - boxes[..., :2]), boxes[..., 2:4], boxes[..., 4]
    along = offset[..., 0] * r.cos() + offset[..., 1] * r.sin()
    across = offset[..., 1] * r.cos() - offset[..., 0] * r.sin()
    inside = (2 * torch.stack([along, across], dim=-1).abs() < size).all(dim=-1)
    near = offset.abs().amax(dim=-1) <= CENTRE_RADIUS
    wanted = boxes.expand(*near.shape, 5)
    return choose(points, near & inside, size.prod(dim=-1), wanted, labels)
