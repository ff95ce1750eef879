#include <torch/csrc/stable/library.h>

#include "launch_cuda.h"
#include "nms_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("nms", TORCH_BOX(&nms<run_nms<CudaLaunch>>));
  m.impl("soft_nms", TORCH_BOX(&soft_nms<run_soft_nms<CudaLaunch>>));
  m.impl("matrix_nms", TORCH_BOX(&matrix_nms<run_matrix_nms<CudaLaunch>>));
}

}  // namespace fastiou
