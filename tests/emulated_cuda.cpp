// The kernels of the aligned losses by emulation.h, registered as operators of a namespace of their own. test_emulated.py
// calls them.
#include "emulation.h"

#include <torch/csrc/stable/library.h>

#include "../csrc/kernels/pair_loss_cuda.cuh"
#include "../csrc/kernels/scale_rows_cuda.cuh"
#include "../csrc/math/kinds.h"
#include "../csrc/ops/pair_loss.h"

namespace fastiou {
namespace {

template <class Kind, Real T> void launch_pair_loss(const PairLossCall& call, unsigned blocks, ReduceScratch scratch) {
  switch (call.grad) {
    case Grad::none: launch(pair_loss_kernel<Kind, Grad::none, T>, blocks, kThreads, call.args, scratch); break;
    case Grad::pred: launch(pair_loss_kernel<Kind, Grad::pred, T>, blocks, kThreads, call.args, scratch); break;
    case Grad::both: launch(pair_loss_kernel<Kind, Grad::both, T>, blocks, kThreads, call.args, scratch); break;
  }
}

// At most three blocks, so that a grid has to walk over many rows.
unsigned blocks_for(int64_t rows) {
  return static_cast<unsigned>(std::clamp<int64_t>((rows + kThreads - 1) / kThreads, 1, 3));
}

bool pair_loss_emulated(const PairLossCall& call, int64_t kind) {
  const unsigned blocks = blocks_for(call.args.rows.count);
  std::vector<double> partial(blocks);
  const ReduceScratch scratch{partial.data(), 7};
  const auto run = [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch_pair_loss<Kind, double>(call, blocks, scratch);
    else launch_pair_loss<Kind, float>(call, blocks, scratch);
  };
  const bool found = dispatch_kind(kind, run, Kinds{});
  STD_TORCH_CHECK(tickets[scratch.ticket] == 0, "the ticket was not put back");
  return found;
}

void scale_rows_emulated(const ScaleRowsCall& call) {
  const unsigned blocks = blocks_for(call.args.rows.count);
  if (call.compute == ScalarType::Double) launch(scale_rows_kernel<4, double>, blocks, kThreads, call.args);
  else launch(scale_rows_kernel<4, float>, blocks, kThreads, call.args);
}

}  // namespace

STABLE_TORCH_LIBRARY(fastiou_emulated, m) {
  m.def(kPairLossSchema);
  m.def(kScaleRowsSchema);
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated, CPU, m) {
  m.impl("pair_loss", TORCH_BOX(&pair_loss<pair_loss_emulated>));
  m.impl("scale_rows", TORCH_BOX(&scale_rows<scale_rows_emulated>));
}

}  // namespace fastiou
