// The launcher of the operators that the tests of CUDA kernels call: launches by emulation.h. Include it before
// anything of csrc/ops.
#pragma once
#include "emulation.h"

#include <torch/csrc/inductor/aoti_torch/c/shim.h>

namespace emulated {

// As the function of torch that it stands for, but new memory is NaN, or -1: who reads what nobody wrote computes
// nonsense.
inline AOTITorchError poisoned_empty_strided(int64_t dims, const int64_t* sizes, const int64_t* strides, int32_t dtype,
                                             int32_t device_type, int32_t device_index, AtenTensorHandle* tensor) {
  AOTITorchError failed = aoti_torch_empty_strided(dims, sizes, strides, dtype, device_type, device_index, tensor);
  int64_t bytes = 0;
  void* data = nullptr;
  if (!failed) failed = aoti_torch_get_storage_size(*tensor, &bytes);
  if (!failed) failed = aoti_torch_get_data_ptr(*tensor, &data);
  if (!failed && bytes > 0) std::memset(data, 0xff, bytes);
  return failed;
}

}  // namespace emulated
#define aoti_torch_empty_strided emulated::poisoned_empty_strided
#include "../../csrc/ops/launch.h"
#undef aoti_torch_empty_strided
#ifdef EMULATED_FOR_SANITIZERS
#include "few_kinds.h"
#endif

namespace fastiou {

// Small limits, so that a few hundred boxes take several blocks, walk over them, and take several chunks.
struct EmulatedLaunch {
  static constexpr int64_t kMostBlocks = 3;
#ifdef EMULATED_FOR_SANITIZERS  // as on a GPU
  static constexpr int kOneBlockThreads = GpuLimits::kOneBlockThreads;
#else
  static constexpr int kOneBlockThreads = 96;
#endif
  static constexpr int64_t kChunkBoxes = 640;
  static constexpr int64_t kManyBoxes = 600;

  explicit EmulatedLaunch(const Tensor&) {}

  template <class... Params, class... Args>
  void operator()(void (*kernel)(Params...), Blocks blocks, int threads, const Args&... args) const {
    emulated::launch(kernel, {blocks.x, blocks.y}, threads, args...);
    STD_TORCH_CHECK(tickets[ticket()] == 0, "the ticket was not put back");
  }
  void zero(void* data, int64_t bytes) const { std::memset(data, 0, bytes); }
  unsigned ticket() const { return 7; }
};

}  // namespace fastiou
