#include <torch/csrc/stable/library.h>

#include "../kernels/pair_loss_cuda.cuh"
#include "../kernels/scale_rows_cuda.cuh"
#include "../math/kinds.h"
#include "launch_cuda.h"
#include "pair_loss.h"

namespace fastiou {
namespace {

template <class Kind, Real T>
void launch(const PairLossCall& call, const RowsLaunch& rows, cudaStream_t stream) {
  const unsigned blocks = rows.blocks;
  const ReduceScratch& scratch = rows.scratch;
  switch (call.grad) {
    case Grad::none: pair_loss_kernel<Kind, Grad::none, T><<<blocks, kThreads, 0, stream>>>(call.args, scratch); break;
    case Grad::pred: pair_loss_kernel<Kind, Grad::pred, T><<<blocks, kThreads, 0, stream>>>(call.args, scratch); break;
    case Grad::both: pair_loss_kernel<Kind, Grad::both, T><<<blocks, kThreads, 0, stream>>>(call.args, scratch); break;
  }
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

bool pair_loss_cuda(const PairLossCall& call, int64_t kind) {
  const bool reduced = call.args.reduction != Reduction::none;
  if (call.args.rows.count == 0 && !reduced) return true;
  const DeviceGuard guard(call.loss.get_device_index());
  const cudaStream_t stream = current_stream(call.loss);
  const RowsLaunch rows(call.args.rows.count, reduced, call.loss, stream);
  const auto run = [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch<Kind, double>(call, rows, stream);
    else launch<Kind, float>(call, rows, stream);
  };
  return dispatch_kind(kind, run, Kinds{});
}

void scale_rows_cuda(const ScaleRowsCall& call) {
  if (call.args.rows.count == 0) return;
  const DeviceGuard guard(call.out.get_device_index());
  const cudaStream_t stream = current_stream(call.out);
  const unsigned blocks = blocks_for(call.args.rows.count, INT32_MAX);
  const bool wide = call.args.width == 5, doubles = call.compute == ScalarType::Double;
  const auto kernel = doubles ? (wide ? scale_rows_kernel<5, double> : scale_rows_kernel<4, double>)
                              : (wide ? scale_rows_kernel<5, float> : scale_rows_kernel<4, float>);
  kernel<<<blocks, kThreads, 0, stream>>>(call.args);
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("pair_loss", TORCH_BOX(&pair_loss<pair_loss_cuda>));
  m.impl("scale_rows", TORCH_BOX(&scale_rows<scale_rows_cuda>));
}

}  // namespace fastiou
