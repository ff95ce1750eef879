// Which kernel runs for the losses over pixels, on the grid and with the scratch that it needs.
#pragma once
#include "../kernels/pixel_loss_cuda.cuh"
#include "launch.h"
#include "pixel_loss.h"

namespace fastiou {

template <Real T, class Launch> void launch_pixel_loss(const PixelLossCall& call) {
  const PairLossArgs& a = call.args.pair;
  const bool reduced = a.reduction != Reduction::none;
  if (a.rows.count == 0 && !reduced) return;
  const Launch launch(call.pair.loss);
  const RowsLaunch rows(a.rows.count, reduced, call.pair.loss, launch, kPixelWarps);
  const PixelParams<T> params(call.args.options);
  const auto run = [&](auto* kernel) {
    launch(kernel, rows.blocks, kPixelThreads, call.args, params, LossNumbers<T>(a), rows.scratch);
  };
  switch (call.pair.grad) {
    case Grad::none: run(pixel_loss_kernel<0, T>); break;
    case Grad::pred: run(pixel_loss_kernel<1, T>); break;
    case Grad::both: run(pixel_loss_kernel<2, T>); break;
  }
}

// The operator: a launcher is made for the tensors' device. Pixels are counted in double.
template <class Launch> void run_pixel_loss(const PixelLossCall& call) {
  if (call.pair.compute == ScalarType::Double || call.args.options.hard) launch_pixel_loss<double, Launch>(call);
  else launch_pixel_loss<float, Launch>(call);
}

}  // namespace fastiou
