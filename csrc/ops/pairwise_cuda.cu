#include <torch/csrc/stable/library.h>

#include "../kernels/pairwise_backward_cuda.cuh"
#include "../kernels/pairwise_cuda.cuh"
#include "launch_cuda.h"
#include "pairwise.h"

namespace fastiou {
namespace {

bool pairwise_cuda(const PairwiseCall& call, int64_t kind) {
  const PairwiseGrid grid(call.args);
  const DeviceGuard guard(call.out.get_device_index());
  const cudaStream_t stream = current_stream(call.out);
  return dispatch_score(kind, [&]<class Kind>() {
    if (grid.blocks == 0) return;
    const unsigned blocks = grid_of(grid.blocks);
    if (call.compute == ScalarType::Double)
      pairwise_kernel<Kind, double><<<blocks, kThreads, 0, stream>>>(call.args, grid);
    else
      pairwise_kernel<Kind, float><<<blocks, kThreads, 0, stream>>>(call.args, grid);
    STD_CUDA_KERNEL_LAUNCH_CHECK();
  });
}

template <class Kind, Real T>
void launch_backward(const PairwiseBackwardArgs& a, const PairwiseBackwardGrid& grid, cudaStream_t stream) {
  const unsigned blocks = grid_of(grid.blocks);
  if (a.own_first) pairwise_backward_kernel<Kind, true, T><<<blocks, kOwnBoxes, 0, stream>>>(a, grid);
  else pairwise_backward_kernel<Kind, false, T><<<blocks, kOwnBoxes, 0, stream>>>(a, grid);
  STD_CUDA_KERNEL_LAUNCH_CHECK();
  finish_boxes_kernel<T><<<blocks_for(a.batch * a.own.count, INT32_MAX), kThreads, 0, stream>>>(a);
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

bool pairwise_backward_cuda(const PairwiseBackwardCall& call, int64_t kind) {
  const PairwiseBackwardGrid grid(call.args);
  const DeviceGuard guard(call.out.get_device_index());
  const cudaStream_t stream = current_stream(call.out);
  return dispatch_score(kind, [&]<class Kind>() {
    if (grid.blocks == 0) return;
    if (call.compute == ScalarType::Double) launch_backward<Kind, double>(call.args, grid, stream);
    else launch_backward<Kind, float>(call.args, grid, stream);
  });
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("pairwise", TORCH_BOX(&pairwise<pairwise_cuda>));
  m.impl("pairwise_backward", TORCH_BOX(&pairwise_backward<pairwise_backward_cuda>));
}

}  // namespace fastiou
