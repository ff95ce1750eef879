// Launches of machine code: a launcher of the operators (csrc/ops/launch.h) that runs kernels in the emulator.
//
// Include it before the operators' host code: it stands between them and torch where they allocate, so that the machine
// knows every output and all scratch. Inputs are allowed from Python.
#pragma once
#include "../../emulated/emulation.h"  // for the host, kernels are names: none of them runs here

#include <dlfcn.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/library.h>

#include <tuple>

#include "session.h"

namespace machine_code {

// The machine may touch a tensor's memory from now on.
inline AOTITorchError allow(AtenTensorHandle tensor, bool written) {
  void* data;
  int64_t offset, bytes;
  const bool known = !aoti_torch_get_data_ptr(tensor, &data) && !aoti_torch_get_storage_offset(tensor, &offset) &&
                     !aoti_torch_get_storage_size(tensor, &bytes);
  if (!known || offset != 0) return AOTI_TORCH_FAILURE;
  Session::get().allow(data, bytes, written);
  return AOTI_TORCH_SUCCESS;
}

// A new tensor holds nothing that a kernel may read.
template <class... Args> AOTITorchError empty_strided(Args... args) {
  const AOTITorchError error = aoti_torch_empty_strided(args...);
  return error ? error : allow(*std::get<sizeof...(Args) - 1>(std::tuple(args...)), false);
}

// An operator of torch that host code calls: kernels may read its result.
inline AOTITorchError call_dispatcher(const char* name, const char* overload, StableIValue* stack, uint64_t version) {
  const AOTITorchError error = torch_call_dispatcher(name, overload, stack, version);
  return error ? error : allow(torch::stable::detail::to<AtenTensorHandle>(stack[0]), true);
}

// The parameter block of a kernel: one parameter after the other, each where its type may lie.
template <class P> void append(std::vector<unsigned char>& block, const P& parameter) {
  block.resize((block.size() + alignof(P) - 1) / alignof(P) * alignof(P));
  const auto* const bytes = reinterpret_cast<const unsigned char*>(&parameter);
  block.insert(block.end(), bytes, bytes + sizeof(P));
}
template <class... Params> std::vector<unsigned char> parameter_block(const Params&... parameters) {
  std::vector<unsigned char> block;
  (append(block, parameters), ...);
  return block;
}

// The mangled name of a kernel. nvcc gives it the same one as the compiler of this file.
template <class... Params> std::string name_of(void (*kernel)(Params...)) {
  Dl_info info;
  void* const address = reinterpret_cast<void*>(kernel);
  if (!dladdr(address, &info) || info.dli_saddr != address)
    throw std::invalid_argument("machine_code: a kernel must have external linkage, or its name is not known here");
  return info.dli_sname;
}

}  // namespace machine_code

#define aoti_torch_empty_strided ::machine_code::empty_strided
#define torch_call_dispatcher ::machine_code::call_dispatcher
#include "../../../csrc/ops/launch.h"

namespace fastiou {

// Small limits, so that a few hundred boxes take several blocks, walk over them, and take several chunks.
struct SmallLimits {
  static constexpr int64_t kMostBlocks = 3;
  static constexpr int kOneBlockThreads = 96;
  static constexpr int64_t kChunkBoxes = 192;
  static constexpr int64_t kManyBoxes = 600;
};

template <class Limits> struct MachineLaunch : Limits {
  explicit MachineLaunch(const Tensor&) {}

  template <class... Params, class... Args>
  void operator()(void (*kernel)(Params...), Blocks blocks, int threads, const Args&... args) const {
    const machine::Grid grid{blocks.x, blocks.y, static_cast<unsigned>(threads)};
    machine_code::Session::get().run(machine_code::name_of(kernel), grid,
                                     machine_code::parameter_block<Params...>(args...));
  }
  void zero(void* data, int64_t bytes) const { machine_code::Session::get().zero(data, bytes); }
  unsigned ticket() const { return 7; }
};

}  // namespace fastiou

// Registers the operators of a file twice: implement<Launch>(library) does it for a launcher. `fastiou_machine` has
// small limits, `fastiou_machine_gpu` those of a GPU.
#define MACHINE_OPERATORS(implement)                                                                        \
  STABLE_TORCH_LIBRARY_IMPL(fastiou_machine, CPU, m) { implement<MachineLaunch<SmallLimits>>(m); }          \
  STABLE_TORCH_LIBRARY_IMPL(fastiou_machine_gpu, CPU, m) { implement<MachineLaunch<GpuLimits>>(m); }
