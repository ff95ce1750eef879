// Which kernels run for the aligned losses, on the grid and with the scratch that they need.
#pragma once
#include "../kernels/plain_loss_cuda.cuh"
#include "../math/kinds.h"
#include "launch.h"
#include "pair_loss.h"

namespace fastiou {

// Calls f.operator()<kGrad>().
template <class F> void dispatch_grad(Grad grad, F&& f) {
  switch (grad) {
    case Grad::none: return f.template operator()<Grad::none>();
    case Grad::pred: return f.template operator()<Grad::pred>();
    case Grad::both: return f.template operator()<Grad::both>();
  }
}

template <class Kind, Real T, class Launch>
void launch_pair_loss(const PairLossCall& call, const RowsLaunch& rows, const Launch& launch) {
  dispatch_grad(call.grad, [&]<Grad kGrad>() {
    launch(pair_loss_kernel<Kind, kGrad, T>, rows.blocks, kThreads, call.args, LossNumbers<T>(call.args), rows.scratch);
  });
}

template <class Kind, class Launch>
void launch_plain_loss(const PairLossCall& call, const PlainLossArgs& args, const RowsLaunch& rows,
                       const Launch& launch) {
  dispatch_grad(call.grad, [&]<Grad kGrad>() {
    if (call.args.reduction != Reduction::none)
      return launch(plain_loss_kernel<Kind, kGrad, true>, rows.blocks, kThreads, args, rows.scratch);
    const Blocks tiles = tile_blocks((call.args.rows.count + kThreads - 1) / kThreads);
    launch(plain_loss_kernel<Kind, kGrad, false>, tiles, kThreads, args, rows.scratch);
  });
}

// The operator: a launcher is made for the tensors' device.
template <class Launch> bool run_pair_loss(const PairLossCall& call, int64_t kind) {
  const bool reduced = call.args.reduction != Reduction::none;
  if (call.args.rows.count == 0 && !reduced) return true;
  const Launch launch(call.loss);
  const RowsLaunch rows(call.args.rows.count, reduced, call.loss, launch);
  const std::optional<PlainLossArgs> plain = as_plain(call.args);
  const auto run = [&]<class Kind>() {
    if (plain) launch_plain_loss<Kind>(call, *plain, rows, launch);
    else if (call.compute == ScalarType::Double) launch_pair_loss<Kind, double>(call, rows, launch);
    else launch_pair_loss<Kind, float>(call, rows, launch);
  };
  return dispatch_kind(kind, run, Kinds{});
}

}  // namespace fastiou
