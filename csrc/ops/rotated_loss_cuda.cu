#include <torch/csrc/stable/library.h>

#include "launch_cuda.h"
#include "rotated_loss_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("rotated_loss", TORCH_BOX(&rotated_loss<run_rotated_loss<CudaLaunch>>));
}

}  // namespace fastiou
