#include <torch/csrc/stable/library.h>

#include "../kernels/pair_loss_cpu.h"
#include "../kernels/scale_rows_cpu.h"
#include "pair_loss.h"
#include "pair_rows_cpu.h"

namespace fastiou {
namespace {

template <Real T> bool run_pair_loss(const PairLossCall& call, int64_t kind) {
  const PairLossArgs& a = call.args;
  const EvaluateTile<T> evaluate_rows = evaluate_tile_for<T>(kind, call.grad);
  if (evaluate_rows == nullptr) return false;
  for_loss_rows<T>(a, [&](double factor, int64_t begin, int64_t end) {
    return pair_loss_rows<T>(a, evaluate_rows, factor, begin, end);
  });
  return true;
}

bool pair_loss_cpu(const PairLossCall& call, int64_t kind) {
  return call.compute == ScalarType::Double ? run_pair_loss<double>(call, kind) : run_pair_loss<float>(call, kind);
}

void scale_rows_cpu(const ScaleRowsCall& call) {
  const int64_t rows = call.args.rows.count;
  if (rows == 0) return;
  const auto scale = [&](int64_t begin, int64_t end) {
    if (call.compute == ScalarType::Double) scale_rows_in<double>(call.args, begin, end);
    else scale_rows_in<float>(call.args, begin, end);
  };
  if (rows <= kTaskRows) scale(0, rows);
  else torch::stable::parallel_for(0, rows, kTaskRows, scale);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) {
  m.impl("pair_loss", TORCH_BOX(&pair_loss<pair_loss_cpu>));
  m.impl("scale_rows", TORCH_BOX(&scale_rows<scale_rows_cpu>));
}

}  // namespace fastiou
