#include <torch/csrc/stable/library.h>

#include "../kernels/pixel_loss_cuda.cuh"
#include "launch_cuda.h"
#include "pixel_loss.h"

namespace fastiou {
namespace {

template <Real T> void run_pixel_loss(const PixelLossCall& call) {
  const PairLossArgs& a = call.args.pair;
  const bool reduced = a.reduction != Reduction::none;
  if (a.rows.count == 0 && !reduced) return;
  const DeviceGuard guard(call.pair.loss.get_device_index());
  const cudaStream_t stream = current_stream(call.pair.loss);
  const RowsLaunch rows(a.rows.count, reduced, call.pair.loss, stream, kPixelWarps);
  const auto run = [&](auto* kernel) {
    kernel<<<rows.blocks, kPixelThreads, 0, stream>>>(call.args, PixelParams<T>(call.args.options), rows.scratch);
  };
  switch (call.pair.grad) {
    case Grad::none: run(pixel_loss_kernel<0, T>); break;
    case Grad::pred: run(pixel_loss_kernel<1, T>); break;
    case Grad::both: run(pixel_loss_kernel<2, T>); break;
  }
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

void pixel_loss_cuda(const PixelLossCall& call) {
  if (call.pair.compute == ScalarType::Double || call.args.options.hard) run_pixel_loss<double>(call);
  else run_pixel_loss<float>(call);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) { m.impl("pixel_loss", TORCH_BOX(&pixel_loss<pixel_loss_cuda>)); }

}  // namespace fastiou
