// Where and how wide kernels are launched.
#pragma once
#include <cuda_runtime.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/macros.h>

#include <atomic>
#include <optional>

#include "../kernels/reduce_cuda.cuh"
#include "operands.h"

namespace fastiou {

using torch::stable::accelerator::DeviceGuard;

inline cudaStream_t current_stream(const Tensor& t) {
  void* stream = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(t.get_device_index(), &stream));
  return static_cast<cudaStream_t>(stream);
}

// For loops that walk: a thread per row, or as many rows per block as are said, but no more than `most` blocks.
inline unsigned blocks_for(int64_t rows, int64_t most, int64_t per_block = kThreads) {
  return static_cast<unsigned>(std::clamp<int64_t>((rows + per_block - 1) / per_block, 1, most));
}

// For kernels in which every block has its own tile.
inline unsigned grid_of(int64_t blocks) {
  STD_TORCH_CHECK(blocks <= INT32_MAX, "fastiou: more tiles of boxes than a grid has blocks");
  return static_cast<unsigned>(blocks);
}

// The ticket of a launch that reduces.
inline unsigned next_ticket(cudaStream_t stream) {
  static std::atomic<unsigned> eager{0}, captured{0};
  cudaStreamCaptureStatus status;
  STD_CUDA_CHECK(cudaStreamIsCapturing(stream, &status));
  const bool capturing = status != cudaStreamCaptureStatusNone;
  const unsigned next = (capturing ? captured : eager).fetch_add(1, std::memory_order_relaxed);
  return next % kTickets + (capturing ? kTickets : 0);
}

// The blocks of a launch over rows, and what it needs where it reduces. The scratch goes back to the stream-ordered
// allocator with this object, right after the launch.
struct RowsLaunch {
  unsigned blocks;
  ReduceScratch scratch{};

  RowsLaunch(int64_t rows, bool reduced, const Tensor& like, cudaStream_t stream, int64_t per_block = kThreads)
      : blocks(blocks_for(rows, reduced ? kReduceBlocks : INT32_MAX, per_block)) {
    if (!reduced || blocks == 1) return;
    partial_ = empty({blocks}, ScalarType::Double, like);
    scratch = {static_cast<double*>(partial_->data_ptr()), next_ticket(stream)};
  }

 private:
  std::optional<Tensor> partial_;
};

}  // namespace fastiou
