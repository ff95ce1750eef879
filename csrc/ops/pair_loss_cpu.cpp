#include <torch/csrc/stable/library.h>

#include "../kernels/pair_loss_cpu.h"
#include "../kernels/scale_rows_cpu.h"
#include "pair_loss.h"

namespace fastiou {
namespace {

// Rows per task. Sums are taken per task and added in order: the result does not depend on the number of threads.
constexpr int64_t kTaskRows = 4096;

template <Real T> bool run_pair_loss(const PairLossCall& call, int64_t kind) {
  const PairLossArgs& a = call.args;
  const EvaluateTile<T> evaluate_rows = evaluate_tile_for<T>(kind, call.grad);
  if (evaluate_rows == nullptr) return false;
  const double factor = factor_of(a);
  const int64_t tasks = (a.rows.count + kTaskRows - 1) / kTaskRows;
  std::vector<double> sums(tasks);
  torch::stable::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sums[i] = pair_loss_rows<T>(a, evaluate_rows, factor, i * kTaskRows,
                                  std::min(a.rows.count, (i + 1) * kTaskRows));
  });
  if (a.reduction == Reduction::none) return true;
  double sum = 0;
  for (const double s : sums) sum += s;
  constexpr double largest = kLargest<T>;
  if (sum == sum) sum = std::clamp(sum, -largest, largest);
  *static_cast<T*>(a.loss.data) = static_cast<T>(sum);
  return true;
}

bool pair_loss_cpu(const PairLossCall& call, int64_t kind) {
  return call.compute == ScalarType::Double ? run_pair_loss<double>(call, kind) : run_pair_loss<float>(call, kind);
}

void scale_rows_cpu(const ScaleRowsCall& call) {
  torch::stable::parallel_for(0, call.args.rows.count, kTaskRows, [&](int64_t begin, int64_t end) {
    if (call.compute == ScalarType::Double) scale_rows_in<double>(call.args, begin, end);
    else scale_rows_in<float>(call.args, begin, end);
  });
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) {
  m.impl("pair_loss", TORCH_BOX(&pair_loss<pair_loss_cpu>));
  m.impl("scale_rows", TORCH_BOX(&scale_rows<scale_rows_cpu>));
}

}  // namespace fastiou
