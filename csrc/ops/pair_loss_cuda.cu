#include <torch/csrc/stable/library.h>

#include "launch_cuda.h"
#include "pair_loss_launch.h"
#include "scale_rows_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("pair_loss", TORCH_BOX(&pair_loss<run_pair_loss<CudaLaunch>>));
  m.impl("scale_rows", TORCH_BOX(&scale_rows<run_scale_rows<CudaLaunch>>));
}

}  // namespace fastiou
