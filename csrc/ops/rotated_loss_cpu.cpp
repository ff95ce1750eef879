#include <torch/csrc/stable/library.h>

#include "../kernels/rotated_loss_cpu.h"
#include "pair_rows_cpu.h"
#include "rotated_loss.h"

namespace fastiou {
namespace {

template <Real T> bool run_rotated_loss(const RotatedLossCall& call) {
  const PairLossArgs& a = call.args.pair;
  const RotatedStages<T> stages(call.args.options, in_degrees(a.pred_format), call.pair.grad != Grad::none);
  if (!stages.ok()) return false;
  for_loss_rows<T>(a, [&](double factor, int64_t begin, int64_t end) {
    return rotated_loss_rows<T>(call.args, stages, factor, begin, end);
  });
  return true;
}

bool rotated_loss_cpu(const RotatedLossCall& call) {
  return call.pair.compute == ScalarType::Double ? run_rotated_loss<double>(call) : run_rotated_loss<float>(call);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) { m.impl("rotated_loss", TORCH_BOX(&rotated_loss<rotated_loss_cpu>)); }

}  // namespace fastiou
