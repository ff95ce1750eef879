"""A small FCOS-like detector: one level, one prediction for each location of the grid."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NUM_CLASSES = 10
STRIDE = 4


class Detector(nn.Module):
    """Maps images (B, 1, S, S) to class logits (B, 10, H, W) and distances (B, 4, H, W).

    H = W = S / STRIDE. The distances are left, top, right, bottom in pixels from the location to the
    sides of its box. A subclass may write its boxes differently.
    """

    box_bias = 3.0, 3.0, 3.0, 3.0

    def __init__(self, width: int = 48) -> None:
        """Fresh weights; `width` is the number of channels of the head."""
        super().__init__()
        self.down4 = nn.Sequential(_conv(1, 16, 2), _conv(16, 32, 2))
        self.down8 = nn.Sequential(_conv(32, 64, 2), _conv(64, 64))
        self.down16 = nn.Sequential(_conv(64, 96, 2), _conv(96, 96))
        self.lateral4 = nn.Conv2d(32, width, 1)
        self.lateral8 = nn.Conv2d(64, width, 1)
        self.lateral16 = nn.Conv2d(96, width, 1)
        self.tower = _conv(width, width)
        self.classes = nn.Conv2d(width, NUM_CLASSES, 3, padding=1)
        self.box = nn.Conv2d(width, len(self.box_bias), 3, padding=1)
        nn.init.constant_(self.classes.bias, -math.log(99))
        self.box.bias.data = torch.tensor(self.box_bias)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Class logits and what the head says of the boxes."""
        c4 = self.down4(images)
        c8 = self.down8(c4)
        c16 = self.down16(c8)
        p8 = self.lateral8(c8) + F.interpolate(self.lateral16(c16), scale_factor=2.0)
        p4 = self.lateral4(c4) + F.interpolate(p8, scale_factor=2.0)
        features = self.tower(p4)
        return self.classes(features), self.read(self.box(features))

    def read(self, raw: Tensor) -> Tensor:
        """The head's distances in pixels from the last layer's numbers (B, 4, H, W)."""
        return F.softplus(raw) * STRIDE

    def decode(self, sides: Tensor) -> Tensor:
        """The head's boxes (B, H, W, 4) as the canvases have them: x1, y1, x2, y2 in pixels."""
        points, sides = grid_points(*sides.shape[-2:]), sides.permute(0, 2, 3, 1)
        return torch.cat([points - sides[..., :2], points + sides[..., 2:]], dim=-1)


def grid_points(height: int, width: int) -> Tensor:
    """Centres x, y in pixels of the grid's locations, (height, width, 2)."""
    ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (torch.stack([xs, ys], dim=-1) + 0.5) * STRIDE


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
