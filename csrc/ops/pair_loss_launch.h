// Which kernels run for the aligned losses, on the grid and with the scratch that they need.
#pragma once
#include "../kernels/pair_loss_cuda.cuh"
#include "../math/kinds.h"
#include "launch.h"
#include "pair_loss.h"

namespace fastiou {

template <class Kind, Real T, class Launch>
void launch_pair_loss(const PairLossCall& call, const RowsLaunch& rows, const Launch& launch) {
  const auto run = [&](auto* kernel) { launch(kernel, rows.blocks, kThreads, call.args, rows.scratch); };
  switch (call.grad) {
    case Grad::none: run(pair_loss_kernel<Kind, Grad::none, T>); break;
    case Grad::pred: run(pair_loss_kernel<Kind, Grad::pred, T>); break;
    case Grad::both: run(pair_loss_kernel<Kind, Grad::both, T>); break;
  }
}

// The operator: a launcher is made for the tensors' device.
template <class Launch> bool run_pair_loss(const PairLossCall& call, int64_t kind) {
  const bool reduced = call.args.reduction != Reduction::none;
  if (call.args.rows.count == 0 && !reduced) return true;
  const Launch launch(call.loss);
  const RowsLaunch rows(call.args.rows.count, reduced, call.loss, launch);
  const auto run = [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch_pair_loss<Kind, double>(call, rows, launch);
    else launch_pair_loss<Kind, float>(call, rows, launch);
  };
  return dispatch_kind(kind, run, Kinds{});
}

}  // namespace fastiou
