#include <torch/csrc/stable/library.h>

#include "launch_cuda.h"
#include "pixel_loss_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("pixel_loss", TORCH_BOX(&pixel_loss<run_pixel_loss<CudaLaunch>>));
}

}  // namespace fastiou
