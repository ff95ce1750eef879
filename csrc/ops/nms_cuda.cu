#include <cuda_runtime.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/macros.h>

#include "nms_launch.h"

namespace fastiou {
namespace {

// Launches on the current stream of the tensors' device.
struct CudaLaunch {
  static constexpr int64_t kMaskBytes = int64_t(64) << 20;
  static constexpr int kOneBlockThreads = kOneBlock;

  explicit CudaLaunch(const Tensor& t) : guard_(t.get_device_index()) {
    void* stream = nullptr;
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(t.get_device_index(), &stream));
    stream_ = static_cast<cudaStream_t>(stream);
  }

  template <class Kernel, class... Args> void operator()(Kernel* kernel, Blocks blocks, int threads, const Args&... args) const {
    kernel<<<dim3(blocks.x, blocks.y), threads, 0, stream_>>>(args...);
    STD_CUDA_KERNEL_LAUNCH_CHECK();
  }

 private:
  torch::stable::accelerator::DeviceGuard guard_;
  cudaStream_t stream_ = nullptr;
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("nms", TORCH_BOX(&nms<run_nms<CudaLaunch>>));
  m.impl("soft_nms", TORCH_BOX(&soft_nms<run_soft_nms<CudaLaunch>>));
  m.impl("matrix_nms", TORCH_BOX(&matrix_nms<run_matrix_nms<CudaLaunch>>));
}

}  // namespace fastiou
