#include "launch.h"

#include "../../../csrc/ops/pixel_pairwise_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou_machine, CPU, m) {
  m.impl("pixel_pairwise", TORCH_BOX(&pixel_pairwise<run_pixel_pairwise<MachineLaunch>>));
  m.impl("pixel_pairwise_backward", TORCH_BOX(&pixel_pairwise_backward<run_pixel_backward<MachineLaunch>>));
}

}  // namespace fastiou
