#include <torch/csrc/stable/library.h>

#include "launch_cuda.h"
#include "pixel_pairwise_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("pixel_pairwise", TORCH_BOX(&pixel_pairwise<run_pixel_pairwise<CudaLaunch>>));
  m.impl("pixel_pairwise_backward", TORCH_BOX(&pixel_pairwise_backward<run_pixel_backward<CudaLaunch>>));
}

}  // namespace fastiou
