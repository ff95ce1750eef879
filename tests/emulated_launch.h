// Launches by emulation.h: the launcher of the operators that the tests of CUDA kernels call.
#pragma once
#include "emulation.h"

#include <cstring>

#include "../csrc/ops/launch.h"

namespace fastiou {

// Small limits, so that a few hundred boxes take several blocks, walk over them, and take several chunks.
struct EmulatedLaunch {
  static constexpr int64_t kMostBlocks = 3;
  static constexpr int kOneBlockThreads = 96;
  static constexpr int64_t kChunkBoxes = 640;
  static constexpr int64_t kManyBoxes = 600;

  explicit EmulatedLaunch(const Tensor&) {}

  template <class... Params, class... Args>
  void operator()(void (*kernel)(Params...), Blocks blocks, int threads, const Args&... args) const {
    ::launch(kernel, {blocks.x, blocks.y}, threads, args...);
    STD_TORCH_CHECK(tickets[ticket()] == 0, "the ticket was not put back");
  }
  void zero(void* data, int64_t bytes) const { std::memset(data, 0, bytes); }
  unsigned ticket() const { return 7; }
};

}  // namespace fastiou
