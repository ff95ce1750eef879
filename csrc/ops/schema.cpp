// The operators are private: fastiou/functional.py and its neighbours are the interface.
#include <torch/csrc/stable/library.h>

#include "max_iou.h"
#include "nms.h"
#include "pair_loss.h"
#include "pairwise.h"
#include "pixel_loss.h"
#include "pixel_pairwise.h"
#include "rotated_loss.h"

STABLE_TORCH_LIBRARY(fastiou, m) {
  m.def(fastiou::kPairLossSchema);
  m.def(fastiou::kRotatedLossSchema);
  m.def(fastiou::kPixelLossSchema);
  m.def(fastiou::kScaleRowsSchema);
  m.def(fastiou::kPairwiseSchema);
  m.def(fastiou::kPairwiseBackwardSchema);
  m.def(fastiou::kPixelPairwiseSchema);
  m.def(fastiou::kPixelPairwiseBackwardSchema);
  m.def(fastiou::kMaxIoUSchema);
  m.def(fastiou::kTiedGtsSchema);
  m.def(fastiou::kNmsSchema);
  m.def(fastiou::kSoftNmsSchema);
  m.def(fastiou::kMatrixNmsSchema);
}
