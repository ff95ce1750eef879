// The CUDA kernels of non-maximum suppression under emulation, in the order and with the scratch of the real ones;
// test_emulated_nms.py calls them.
#include "emulation.h"

#include <torch/csrc/stable/library.h>

#include "../csrc/ops/nms_launch.h"

namespace fastiou {
namespace {

struct EmulatedLaunch {
  static constexpr int64_t kMaskBytes = 4096;  // so that a few hundred boxes take several chunks
  static constexpr int kOneBlockThreads = 96;

  explicit EmulatedLaunch(const Tensor&) {}

  template <class Kernel, class... Args> void operator()(Kernel* kernel, Blocks blocks, int threads, const Args&... args) const {
    ::launch(kernel, {blocks.x, blocks.y}, threads, args...);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY(fastiou_emulated_nms, m) {
  m.def(kNmsSchema);
  m.def(kSoftNmsSchema);
  m.def(kMatrixNmsSchema);
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated_nms, CPU, m) {
  m.impl("nms", TORCH_BOX(&nms<run_nms<EmulatedLaunch>>));
  m.impl("soft_nms", TORCH_BOX(&soft_nms<run_soft_nms<EmulatedLaunch>>));
  m.impl("matrix_nms", TORCH_BOX(&matrix_nms<run_matrix_nms<EmulatedLaunch>>));
}

}  // namespace fastiou
