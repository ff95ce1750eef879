#include <torch/csrc/stable/library.h>

#include "launch_cuda.h"
#include "pixel_pairwise_launch.h"

namespace fastiou {
namespace {

// Kernels walk: no grid need be larger than a GPU takes.
auto launcher(const Tensor& out) {
  return [stream = current_stream(out)](auto* kernel, int64_t blocks, int threads, const auto&... args) {
    kernel<<<static_cast<unsigned>(std::min<int64_t>(blocks, INT32_MAX)), threads, 0, stream>>>(args...);
    STD_CUDA_KERNEL_LAUNCH_CHECK();
  };
}

void pixel_pairwise_cuda(const PixelPairwiseCall& call) {
  const DeviceGuard guard(call.pair.out.get_device_index());
  const bool doubles = call.pair.compute == ScalarType::Double || call.args.options.hard;
  if (doubles) launch_pixel_pairwise<double>(call, launcher(call.pair.out));
  else launch_pixel_pairwise<float>(call, launcher(call.pair.out));
}

void pixel_pairwise_backward_cuda(const PixelBackwardCall& call) {
  const DeviceGuard guard(call.pair.out.get_device_index());
  if (call.pair.compute == ScalarType::Double) launch_pixel_backward<double>(call, launcher(call.pair.out));
  else launch_pixel_backward<float>(call, launcher(call.pair.out));
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("pixel_pairwise", TORCH_BOX(&pixel_pairwise<pixel_pairwise_cuda>));
  m.impl("pixel_pairwise_backward", TORCH_BOX(&pixel_pairwise_backward<pixel_pairwise_backward_cuda>));
}

}  // namespace fastiou
