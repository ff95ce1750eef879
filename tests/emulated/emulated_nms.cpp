// Non-maximum suppression by emulation. test_emulated_nms.py calls it.
#include "launcher.h"

#include <torch/csrc/stable/library.h>

#include "../../csrc/ops/nms_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY(fastiou_emulated_nms, m) {
  m.def(kNmsSchema);
  m.def(kSoftNmsSchema);
  m.def(kMatrixNmsSchema);
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated_nms, CPU, m) {
  m.impl("nms", TORCH_BOX(&nms<run_nms<EmulatedLaunch>>));
  m.impl("soft_nms", TORCH_BOX(&soft_nms<run_soft_nms<EmulatedLaunch>>));
  m.impl("matrix_nms", TORCH_BOX(&matrix_nms<run_matrix_nms<EmulatedLaunch>>));
}

}  // namespace fastiou
