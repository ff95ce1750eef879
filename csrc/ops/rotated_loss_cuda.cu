#include <torch/csrc/stable/library.h>

#include "../kernels/rotated_loss_cuda.cuh"
#include "launch_cuda.h"
#include "rotated_loss.h"

namespace fastiou {
namespace {

template <Real T> bool run_rotated_loss(const RotatedLossCall& call) {
  const PairLossArgs& a = call.args.pair;
  const RotatedParams<T> params(call.args.options, in_degrees(a.pred_format));
  if (!params.ok()) return false;
  const bool reduced = a.reduction != Reduction::none, grad = call.pair.grad != Grad::none;
  if (a.rows.count == 0 && !reduced) return true;
  const DeviceGuard guard(call.pair.loss.get_device_index());
  const cudaStream_t stream = current_stream(call.pair.loss);
  const RowsLaunch rows(a.rows.count, reduced, call.pair.loss, stream);
  with_rotated_loss_kernel(params, grad, [&](auto* kernel) {
    kernel<<<rows.blocks, kThreads, 0, stream>>>(call.args, params, rows.scratch);
  });
  STD_CUDA_KERNEL_LAUNCH_CHECK();
  return true;
}

bool rotated_loss_cuda(const RotatedLossCall& call) {
  return call.pair.compute == ScalarType::Double ? run_rotated_loss<double>(call) : run_rotated_loss<float>(call);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) { m.impl("rotated_loss", TORCH_BOX(&rotated_loss<rotated_loss_cuda>)); }

}  // namespace fastiou
