// How operators launch kernels. The host side of an operator is a function over a launcher, so that the tests, which
// have launchers of their own, run the same arithmetic of grids, the same scratch and the same order of launches as a
// GPU.
//
// A launcher is made for a tensor of the device and holds what a launch needs. It has
//   launch(kernel, blocks, threads, arguments...)   runs a kernel after all that was launched before
//   launch.zero(pointer, bytes)                     fills memory of the device with zeros
//   launch.ticket()                                 a ticket for a launch that reduces (kernels/reduce_cuda.cuh)
//   kMostBlocks                                     the largest grid of a kernel whose blocks walk over rows
//   kOneBlockThreads                                the threads of a kernel that is a single block
//   kChunkBoxes                                     how many boxes suppression decides at a time
//   kManyBoxes                                      how many boxes fill a GPU, a thread for each
#pragma once
#include <optional>

#include "../kernels/reduce_cuda.cuh"
#include "operands.h"

namespace fastiou {

struct Blocks { unsigned x = 1, y = 1; };

// The constants of the launcher for GPUs. Tests have smaller ones, so that few boxes take every way.
struct GpuLimits {
  static constexpr int64_t kMostBlocks = INT32_MAX;
  static constexpr int kOneBlockThreads = 512;
  static constexpr int64_t kChunkBoxes = 2048;
  static constexpr int64_t kManyBoxes = int64_t(1) << 16;
};

// For kernels in which every block has its own tile.
inline Blocks tile_blocks(int64_t tiles) {
  STD_TORCH_CHECK(tiles <= INT32_MAX, "fastiou: more tiles of boxes than a grid has blocks");
  return {static_cast<unsigned>(tiles)};
}

// For kernels that walk: enough blocks for all rows, but no more than `most`.
template <class Launch>
Blocks walking_blocks(const Launch&, int64_t rows, int64_t per_block = kThreads, int64_t most = INT32_MAX) {
  const int64_t limit = std::min<int64_t>(most, Launch::kMostBlocks);
  return {static_cast<unsigned>(std::clamp<int64_t>((rows + per_block - 1) / per_block, 1, limit))};
}

// The blocks of a launch over rows, and what it needs where it reduces. The scratch goes back to the stream-ordered
// allocator with this object, right after the launch.
struct RowsLaunch {
  Blocks blocks;
  ReduceScratch scratch{};

  template <class Launch>
  RowsLaunch(int64_t rows, bool reduced, const Tensor& like, const Launch& launch, int64_t per_block = kThreads)
      : blocks(walking_blocks(launch, rows, per_block, reduced ? kReduceBlocks : INT32_MAX)) {
    if (!reduced || blocks.x == 1) return;
    partial_ = empty({blocks.x}, ScalarType::Double, like);
    scratch = {static_cast<double*>(partial_->data_ptr()), launch.ticket()};
  }

 private:
  std::optional<Tensor> partial_;
};

}  // namespace fastiou
