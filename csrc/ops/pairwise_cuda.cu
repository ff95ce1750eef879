#include <torch/csrc/stable/library.h>

#include "launch_cuda.h"
#include "pairwise_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("pairwise", TORCH_BOX(&pairwise<run_pairwise<CudaLaunch>>));
  m.impl("pairwise_backward", TORCH_BOX(&pairwise_backward<run_pairwise_backward<CudaLaunch>>));
}

}  // namespace fastiou
