// The kernels of the losses of rotated boxes by emulation.h; test_emulated_rotated.py calls them.
#include "emulation.h"

#include <torch/csrc/stable/library.h>

#include "../csrc/kernels/rotated_loss_cuda.cuh"
#include "../csrc/kernels/scale_rows_cuda.cuh"
#include "../csrc/ops/rotated_loss.h"

namespace fastiou {
namespace {

// At most three blocks, so that a grid has to walk over many rows.
unsigned blocks_for(int64_t rows) {
  return static_cast<unsigned>(std::clamp<int64_t>((rows + kThreads - 1) / kThreads, 1, 3));
}

template <Real T> bool run(const RotatedLossCall& call) {
  const PairLossArgs& a = call.args.pair;
  const RotatedParams<T> params(call.args.options, in_degrees(a.pred_format));
  if (!params.ok()) return false;
  const unsigned blocks = blocks_for(a.rows.count);
  std::vector<double> partial(blocks);
  const ReduceScratch scratch{partial.data(), 7};
  with_rotated_loss_kernel(params, call.pair.grad != Grad::none,
                           [&](auto* kernel) { launch(kernel, blocks, kThreads, call.args, params, scratch); });
  STD_TORCH_CHECK(tickets[scratch.ticket] == 0, "the ticket was not put back");
  return true;
}

bool rotated_loss_emulated(const RotatedLossCall& call) {
  return call.pair.compute == ScalarType::Double ? run<double>(call) : run<float>(call);
}

void scale_rows_emulated(const ScaleRowsCall& call) {
  const unsigned blocks = blocks_for(call.args.rows.count);
  if (call.compute == ScalarType::Double) launch(scale_rows_kernel<5, double>, blocks, kThreads, call.args);
  else launch(scale_rows_kernel<5, float>, blocks, kThreads, call.args);
}

}  // namespace

STABLE_TORCH_LIBRARY(fastiou_emulated_rotated, m) {
  m.def(kRotatedLossSchema);
  m.def(kScaleRowsSchema);
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated_rotated, CPU, m) {
  m.impl("rotated_loss", TORCH_BOX(&rotated_loss<rotated_loss_emulated>));
  m.impl("scale_rows", TORCH_BOX(&scale_rows<scale_rows_emulated>));
}

}  // namespace fastiou
