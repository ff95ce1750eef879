#include "launch.h"

#include "../../../csrc/ops/pairwise_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou_machine, CPU, m) {
  m.impl("pairwise", TORCH_BOX(&pairwise<run_pairwise<MachineLaunch>>));
  m.impl("pairwise_backward", TORCH_BOX(&pairwise_backward<run_pairwise_backward<MachineLaunch>>));
}

}  // namespace fastiou
