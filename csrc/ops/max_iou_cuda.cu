#include <torch/csrc/stable/library.h>

#include "launch_cuda.h"
#include "max_iou_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("max_iou", TORCH_BOX(&max_iou<run_max_iou<CudaLaunch>>));
  m.impl("tied_gts", TORCH_BOX(&tied_gts<run_tied_gts<CudaLaunch>>));
}

}  // namespace fastiou
