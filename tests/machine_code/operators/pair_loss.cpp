#include "launch.h"

#include "../../../csrc/ops/pair_loss_launch.h"
#include "../../../csrc/ops/scale_rows_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou_machine, CPU, m) {
  m.impl("pair_loss", TORCH_BOX(&pair_loss<run_pair_loss<MachineLaunch>>));
  m.impl("scale_rows", TORCH_BOX(&scale_rows<run_scale_rows<MachineLaunch>>));
}

}  // namespace fastiou
