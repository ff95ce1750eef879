#include "launch.h"

#include "../../../csrc/ops/max_iou_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou_machine, CPU, m) {
  m.impl("max_iou", TORCH_BOX(&max_iou<run_max_iou<MachineLaunch>>));
  m.impl("tied_gts", TORCH_BOX(&tied_gts<run_tied_gts<MachineLaunch>>));
}

}  // namespace fastiou
