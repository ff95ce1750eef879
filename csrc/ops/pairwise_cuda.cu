#include <torch/csrc/stable/library.h>

#include "../kernels/pairwise_backward_cuda.cuh"
#include "../kernels/pairwise_cuda.cuh"
#include "launch_cuda.h"
#include "pairwise.h"

namespace fastiou {
namespace {

template <class Kind, Real T> void launch_pairwise(const PairwiseArgs& a, int64_t kind, cudaStream_t stream) {
  const PairwiseGrid grid(a, kTileColumns<Kind>);
  if (grid.blocks == 0) return;
  const unsigned blocks = grid_of(grid.blocks);
  pairwise_kernel<Kind, T><<<blocks, kThreads, 0, stream>>>(a, grid, given<Kind, T>(kind, a.first.format));
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

bool pairwise_cuda(const PairwiseCall& call, int64_t kind) {
  const DeviceGuard guard(call.out.get_device_index());
  const cudaStream_t stream = current_stream(call.out);
  return dispatch_set(call.args.first, kind, [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch_pairwise<Kind, double>(call.args, kind, stream);
    else launch_pairwise<Kind, float>(call.args, kind, stream);
  });
}

template <class Kind, Real T>
void launch_backward(const PairwiseBackwardArgs& a, int64_t kind, cudaStream_t stream) {
  const PairwiseBackwardGrid grid(a);
  if (grid.blocks == 0) return;
  const unsigned blocks = grid_of(grid.blocks);
  const auto given = fastiou::given<Kind, T>(kind, a.own.format);
  with_backward_kernel<Kind, T>(a.own_first, given,
                                [&](auto* kernel) { kernel<<<blocks, kOwnBoxes, 0, stream>>>(a, grid, given); });
  STD_CUDA_KERNEL_LAUNCH_CHECK();
  finish_boxes_kernel<T><<<blocks_for(a.batch * a.own.count, INT32_MAX), kThreads, 0, stream>>>(a);
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

bool pairwise_backward_cuda(const PairwiseBackwardCall& call, int64_t kind) {
  const DeviceGuard guard(call.out.get_device_index());
  const cudaStream_t stream = current_stream(call.out);
  return dispatch_set(call.args.own, kind, [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch_backward<Kind, double>(call.args, kind, stream);
    else launch_backward<Kind, float>(call.args, kind, stream);
  });
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("pairwise", TORCH_BOX(&pairwise<pairwise_cuda>));
  m.impl("pairwise_backward", TORCH_BOX(&pairwise_backward<pairwise_backward_cuda>));
}

}  // namespace fastiou
