// Where and how wide kernels are launched.
#pragma once
#include <cuda_runtime.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/macros.h>

#include "../kernels/reduce_cuda.cuh"
#include "operands.h"

namespace fastiou {

using torch::stable::accelerator::DeviceGuard;

inline cudaStream_t current_stream(const Tensor& t) {
  void* stream = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(t.get_device_index(), &stream));
  return static_cast<cudaStream_t>(stream);
}

// For loops that walk: a thread per row, but no more than `most` blocks.
inline unsigned blocks_for(int64_t rows, int64_t most) {
  return static_cast<unsigned>(std::clamp<int64_t>((rows + kThreads - 1) / kThreads, 1, most));
}

// For kernels in which every block has its own tile.
inline unsigned grid_of(int64_t blocks) {
  STD_TORCH_CHECK(blocks <= INT32_MAX, "fastiou: more tiles of boxes than a grid has blocks");
  return static_cast<unsigned>(blocks);
}

}  // namespace fastiou
