// The aligned losses by emulation, as operators of a namespace of their own. test_emulated.py calls them.
#include "launcher.h"

#include <torch/csrc/stable/library.h>

#include "../../csrc/ops/pair_loss_launch.h"
#include "../../csrc/ops/scale_rows_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY(fastiou_emulated, m) {
  m.def(kPairLossSchema);
  m.def(kScaleRowsSchema);
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated, CPU, m) {
  m.impl("pair_loss", TORCH_BOX(&pair_loss<run_pair_loss<EmulatedLaunch>>));
  m.impl("scale_rows", TORCH_BOX(&scale_rows<run_scale_rows<EmulatedLaunch>>));
}

}  // namespace fastiou
