// Which kernels run for pairwise scores and their gradients, and on which grids.
#pragma once
#include "../kernels/pairwise_backward_cuda.cuh"
#include "../kernels/pairwise_cuda.cuh"
#include "launch.h"
#include "pairwise.h"

namespace fastiou {

template <class Kind, Real T, class Launch>
void launch_pairwise(const PairwiseArgs& a, int64_t kind, const Launch& launch) {
  const PairwiseGrid grid(a, kMostRows<Kind>, kTileColumns<Kind>, 2 * Launch::kManyBoxes / kThreads);
  if (grid.blocks == 0) return;
  launch(pairwise_kernel<Kind, T>, tile_blocks(grid.blocks), kThreads, a, grid,
         given<Kind, T>(kind, a.first.format, a.eps));
}

template <class Kind, Real T, class Launch>
void launch_pairwise_backward(const PairwiseBackwardArgs& a, int64_t kind, const Launch& launch) {
  const PairwiseBackwardGrid grid(a);
  if (grid.blocks == 0) return;
  const auto given = fastiou::given<Kind, T>(kind, a.own.format, a.eps);
  with_backward_kernel<Kind, T>(a.own_first, given, [&](auto* kernel) {
    launch(kernel, tile_blocks(grid.blocks), kOwnBoxes, a, grid, given);
  });
  launch(finish_boxes_kernel<T>, walking_blocks(launch, a.batch * a.own.count), kThreads, a);
}

// The operators: a launcher is made for the tensors' device.
template <class Launch> bool run_pairwise(const PairwiseCall& call, int64_t kind) {
  const Launch launch(call.out);
  return dispatch_set(call.args.first, kind, [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch_pairwise<Kind, double>(call.args, kind, launch);
    else launch_pairwise<Kind, float>(call.args, kind, launch);
  });
}

template <class Launch> bool run_pairwise_backward(const PairwiseBackwardCall& call, int64_t kind) {
  const Launch launch(call.out);
  return dispatch_set(call.args.own, kind, [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch_pairwise_backward<Kind, double>(call.args, kind, launch);
    else launch_pairwise_backward<Kind, float>(call.args, kind, launch);
  });
}

}  // namespace fastiou
