# The public names, and the module of each. Type checkers read this file, and so does __init__.py.
from . import reference as reference
from .angle_labels import (
    circular_smooth_label as circular_smooth_label,
    csl_angle as csl_angle,
)
from .conventions.rotated import (
    convert_rotated as convert_rotated,
    rotated_conventions as rotated_conventions,
)
from .gaussian import (
    gaussian_distance as gaussian_distance,
    gaussian_kinds as gaussian_kinds,
    gaussian_loss as gaussian_loss,
)
from .losses import (
    backend as backend,
    complete_box_iou_loss as complete_box_iou_loss,
    distance_box_iou_loss as distance_box_iou_loss,
    formats as formats,
    generalized_box_iou_loss as generalized_box_iou_loss,
    iou_loss as iou_loss,
    kinds as kinds,
)
from .matching import (
    Assignment as Assignment,
    Matcher as Matcher,
    MaxIoU as MaxIoU,
    MaxIoUAssigner as MaxIoUAssigner,
    SSDMatcher as SSDMatcher,
    max_iou as max_iou,
)
from .modules import (
    CIoULoss as CIoULoss,
    DIoULoss as DIoULoss,
    GaussianLoss as GaussianLoss,
    GIoULoss as GIoULoss,
    IoULoss as IoULoss,
    PIoULoss as PIoULoss,
    RotatedIoULoss as RotatedIoULoss,
)
from .pairwise import (
    box_iou as box_iou,
    complete_box_iou as complete_box_iou,
    distance_box_iou as distance_box_iou,
    generalized_box_iou as generalized_box_iou,
    pairwise_iou as pairwise_iou,
    pairwise_kinds as pairwise_kinds,
)
from .pixels import (
    piou_loss as piou_loss,
    pixel_iou as pixel_iou,
)
from .rotated import (
    rotated_box_iou as rotated_box_iou,
    rotated_iou_loss as rotated_iou_loss,
)
from .suppression import (
    batched_nms as batched_nms,
    cluster_nms as cluster_nms,
    matrix_nms as matrix_nms,
    nms as nms,
    nms_mask as nms_mask,
    nms_rotated as nms_rotated,
    soft_nms as soft_nms,
)

__version__: str
