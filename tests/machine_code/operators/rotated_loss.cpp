#include "launch.h"

#include "../../../csrc/ops/rotated_loss_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou_machine, CPU, m) {
  m.impl("rotated_loss", TORCH_BOX(&rotated_loss<run_rotated_loss<MachineLaunch>>));
}

}  // namespace fastiou
