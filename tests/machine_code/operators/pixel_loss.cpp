#include "launch.h"

#include "../../../csrc/ops/pixel_loss_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou_machine, CPU, m) {
  m.impl("pixel_loss", TORCH_BOX(&pixel_loss<run_pixel_loss<MachineLaunch>>));
}

}  // namespace fastiou
