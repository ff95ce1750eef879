#include <torch/csrc/stable/library.h>

#include "../kernels/pair_loss_cpu.h"
#include "../kernels/scale_rows_cpu.h"
#include "pair_loss.h"

namespace fastiou {
namespace {

// Rows per task. Sums are taken per task and added in order: the result does not depend on the number of threads.
constexpr int64_t kTaskRows = 4096;

template <Real T> T load_number(const void* data, DType dtype) {
  T x = 0;
  dispatch_dtype(dtype, [&]<class S>() { x = static_cast<T>(*static_cast<const S*>(data)); });
  return x;
}

template <Real T> void run(const PairLossCall& call, int64_t kind) {
  const PairLossArgs& a = call.args;
  const EvaluateTile<T> evaluate_rows = evaluate_tile_for<T>(kind, call.grad);
  STD_TORCH_CHECK(evaluate_rows != nullptr, "fastiou: there is no kind ", kind);
  const double factor =
      a.avg_factor ? a.factor / (load_number<double>(a.avg_factor, a.avg_factor_dtype) + kAvgFactorEps) : a.factor;
  const int64_t tasks = (a.rows.count + kTaskRows - 1) / kTaskRows;
  std::vector<double> sums(tasks);
  torch::stable::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sums[i] = pair_loss_rows<T>(a, evaluate_rows, factor, i * kTaskRows,
                                  std::min(a.rows.count, (i + 1) * kTaskRows));
  });
  if (a.reduction == Reduction::none) return;
  double sum = 0;
  for (const double s : sums) sum += s;
  constexpr double largest = kLargest<T>;
  if (sum == sum) sum = std::clamp(sum, -largest, largest);
  *static_cast<T*>(a.loss.data) = static_cast<T>(sum);
}

std::tuple<Tensor, Tensor, Tensor> pair_loss_cpu(const Tensor& pred, const Tensor& target,
                                                 std::optional<Tensor> points, std::optional<Tensor> weight,
                                                 std::optional<Tensor> avg_factor, int64_t kind, int64_t pred_format,
                                                 int64_t target_format, int64_t reduction,
                                                 std::optional<double> divisor, double eps, bool grad_pred,
                                                 bool grad_target) {
  const PairLossCall call(pred, target, points, weight, avg_factor, pred_format, target_format, reduction, divisor, eps,
                          grad_pred, grad_target);
  if (call.compute == ScalarType::Double) run<double>(call, kind);
  else run<float>(call, kind);
  return call.outputs();
}

Tensor scale_rows_cpu(const Tensor& partials, const Tensor& grad, ScalarType dtype) {
  const ScaleRowsCall call(partials, grad, dtype);
  torch::stable::parallel_for(0, call.args.rows.count, kTaskRows, [&](int64_t begin, int64_t end) {
    if (partials.scalar_type() == ScalarType::Double) scale_rows<double>(call.args, begin, end);
    else scale_rows<float>(call.args, begin, end);
  });
  return call.out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) {
  m.impl("pair_loss", TORCH_BOX(&pair_loss_cpu));
  m.impl("scale_rows", TORCH_BOX(&scale_rows_cpu));
}

}  // namespace fastiou
