// All that compares sets of boxes by emulation. test_emulated_sets.py calls it.
#include "launcher.h"

#include <torch/csrc/stable/library.h>

#include "../../csrc/ops/max_iou_launch.h"
#include "../../csrc/ops/pairwise_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY(fastiou_emulated_sets, m) {
  m.def(kPairwiseSchema);
  m.def(kPairwiseBackwardSchema);
  m.def(kMaxIoUSchema);
  m.def(kTiedGtsSchema);
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated_sets, CPU, m) {
  m.impl("pairwise", TORCH_BOX(&pairwise<run_pairwise<EmulatedLaunch>>));
  m.impl("pairwise_backward", TORCH_BOX(&pairwise_backward<run_pairwise_backward<EmulatedLaunch>>));
  m.impl("max_iou", TORCH_BOX(&max_iou<run_max_iou<EmulatedLaunch>>));
  m.impl("tied_gts", TORCH_BOX(&tied_gts<run_tied_gts<EmulatedLaunch>>));
}

}  // namespace fastiou
