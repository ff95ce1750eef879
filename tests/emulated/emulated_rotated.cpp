// The losses of rotated boxes by emulation. test_emulated_rotated.py calls them.
#include "launcher.h"

#include <torch/csrc/stable/library.h>

#include "../../csrc/ops/rotated_loss_launch.h"
#include "../../csrc/ops/scale_rows_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY(fastiou_emulated_rotated, m) {
  m.def(kRotatedLossSchema);
  m.def(kScaleRowsSchema);
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated_rotated, CPU, m) {
  m.impl("rotated_loss", TORCH_BOX(&rotated_loss<run_rotated_loss<EmulatedLaunch>>));
  m.impl("scale_rows", TORCH_BOX(&scale_rows<run_scale_rows<EmulatedLaunch>>));
}

}  // namespace fastiou
