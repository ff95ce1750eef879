// Which kernel runs for the losses of rotated boxes, on the grid and with the scratch that it needs.
#pragma once
#include "../kernels/rotated_loss_cuda.cuh"
#include "launch.h"
#include "rotated_loss.h"

namespace fastiou {

template <Real T, class Launch> bool launch_rotated_loss(const RotatedLossCall& call) {
  const PairLossArgs& a = call.args.pair;
  const RotatedParams<T> params(call.args.options, in_degrees(a.pred_format));
  if (!params.ok()) return false;
  const bool reduced = a.reduction != Reduction::none, grad = call.pair.grad != Grad::none;
  if (a.rows.count == 0 && !reduced) return true;
  const Launch launch(call.pair.loss);
  const RowsLaunch rows(a.rows.count, reduced, call.pair.loss, launch);
  with_rotated_loss_kernel(params, grad, [&](auto* kernel) {
    launch(kernel, rows.blocks, kThreads, call.args, params, LossNumbers<T>(a), RotatedRowsInOrder(a), rows.scratch);
  });
  return true;
}

// The operator: a launcher is made for the tensors' device.
template <class Launch> bool run_rotated_loss(const RotatedLossCall& call) {
  return call.pair.compute == ScalarType::Double ? launch_rotated_loss<double, Launch>(call)
                                                 : launch_rotated_loss<float, Launch>(call);
}

}  // namespace fastiou
