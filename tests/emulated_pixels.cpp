// The kernels over pixels by emulation.h; test_emulated_pixels.py calls them.
#include "emulation.h"

#include <torch/csrc/stable/library.h>

#include "../csrc/kernels/pixel_loss_cuda.cuh"
#include "../csrc/ops/pixel_loss.h"
#include "../csrc/ops/pixel_pairwise_launch.h"

namespace fastiou {
namespace {

constexpr int64_t kMostBlocks = 3;  // so that grids have to walk

template <Real T> void run_loss(const PixelLossCall& call) {
  const PairLossArgs& a = call.args.pair;
  const auto blocks = static_cast<unsigned>(std::clamp<int64_t>(warps_in_blocks(a.rows.count), 1, kMostBlocks));
  std::vector<double> partial(blocks);
  const ReduceScratch scratch{partial.data(), 7};
  const PixelParams<T> params(call.args.options);
  const auto run = [&](auto* kernel) { launch(kernel, blocks, kPixelThreads, call.args, params, scratch); };
  switch (call.pair.grad) {
    case Grad::none: run(pixel_loss_kernel<0, T>); break;
    case Grad::pred: run(pixel_loss_kernel<1, T>); break;
    case Grad::both: run(pixel_loss_kernel<2, T>); break;
  }
  STD_TORCH_CHECK(tickets[scratch.ticket] == 0, "the ticket was not put back");
}
void pixel_loss_emulated(const PixelLossCall& call) {
  if (call.pair.compute == ScalarType::Double || call.args.options.hard) run_loss<double>(call);
  else run_loss<float>(call);
}

constexpr auto launcher = [](auto* kernel, int64_t blocks, int threads, const auto&... args) {
  ::launch(kernel, static_cast<unsigned>(std::min(blocks, kMostBlocks)), threads, args...);
};
void pixel_pairwise_emulated(const PixelPairwiseCall& call) {
  if (call.pair.compute == ScalarType::Double || call.args.options.hard) launch_pixel_pairwise<double>(call, launcher);
  else launch_pixel_pairwise<float>(call, launcher);
}
void pixel_pairwise_backward_emulated(const PixelBackwardCall& call) {
  if (call.pair.compute == ScalarType::Double) launch_pixel_backward<double>(call, launcher);
  else launch_pixel_backward<float>(call, launcher);
}

}  // namespace

STABLE_TORCH_LIBRARY(fastiou_emulated_pixels, m) {
  m.def(kPixelLossSchema);
  m.def(kPixelPairwiseSchema);
  m.def(kPixelPairwiseBackwardSchema);
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated_pixels, CPU, m) {
  m.impl("pixel_loss", TORCH_BOX(&pixel_loss<pixel_loss_emulated>));
  m.impl("pixel_pairwise", TORCH_BOX(&pixel_pairwise<pixel_pairwise_emulated>));
  m.impl("pixel_pairwise_backward", TORCH_BOX(&pixel_pairwise_backward<pixel_pairwise_backward_emulated>));
}

}  // namespace fastiou
