// Launches on a GPU: the launcher of the operators there.
#pragma once
#include <cuda_runtime.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/macros.h>

#include <atomic>

#include "launch.h"

namespace fastiou {

// Launches on the current stream of a tensor's device, which is the current device as long as this object lives.
class CudaLaunch : public GpuLimits {
 public:
  explicit CudaLaunch(const Tensor& t) : guard_(t.get_device_index()) {
    void* stream = nullptr;
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(t.get_device_index(), &stream));
    stream_ = static_cast<cudaStream_t>(stream);
  }

  template <class... Params, class... Args>
  void operator()(void (*kernel)(Params...), Blocks blocks, int threads, const Args&... args) const {
    kernel<<<dim3(blocks.x, blocks.y), threads, 0, stream_>>>(args...);
    STD_CUDA_KERNEL_LAUNCH_CHECK();
  }

  void zero(void* data, int64_t bytes) const {
    if (bytes > 0) STD_CUDA_CHECK(cudaMemsetAsync(data, 0, bytes, stream_));
  }

  unsigned ticket() const {
    static std::atomic<unsigned> eager{0}, captured{0};
    cudaStreamCaptureStatus status;
    STD_CUDA_CHECK(cudaStreamIsCapturing(stream_, &status));
    const bool capturing = status != cudaStreamCaptureStatusNone;
    const unsigned next = (capturing ? captured : eager).fetch_add(1, std::memory_order_relaxed);
    return next % kTickets + (capturing ? kTickets : 0);
  }

 private:
  torch::stable::accelerator::DeviceGuard guard_;
  cudaStream_t stream_ = nullptr;
};

}  // namespace fastiou
