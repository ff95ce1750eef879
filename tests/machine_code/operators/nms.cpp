#include "launch.h"

#include "../../../csrc/ops/nms_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou_machine, CPU, m) {
  m.impl("nms", TORCH_BOX(&nms<run_nms<MachineLaunch>>));
  m.impl("soft_nms", TORCH_BOX(&soft_nms<run_soft_nms<MachineLaunch>>));
  m.impl("matrix_nms", TORCH_BOX(&matrix_nms<run_matrix_nms<MachineLaunch>>));
}

}  // namespace fastiou
