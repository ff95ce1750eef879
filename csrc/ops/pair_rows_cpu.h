// Rows of aligned losses on torch's threads.
#pragma once
#include <torch/csrc/stable/ops.h>

#include <algorithm>
#include <vector>

#include "../kernels/pair_loss.h"

namespace fastiou {

// Rows per task. Sums are taken per task and added in order: the result does not depend on the number of threads.
constexpr int64_t kTaskRows = 4096;

// Calls rows(factor, begin, end) for all rows, a task at a time; it returns the sum of their losses where these are
// reduced.
template <Real T, class Rows> void for_loss_rows(const PairLossArgs& a, const Rows& rows) {
  const double factor = factor_of(a);
  const int64_t tasks = (a.rows.count + kTaskRows - 1) / kTaskRows;
  std::vector<double> sums(tasks);
  torch::stable::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sums[i] = rows(factor, i * kTaskRows, std::min(a.rows.count, (i + 1) * kTaskRows));
  });
  if (a.reduction == Reduction::none) return;
  double sum = 0;
  for (const double s : sums) sum += s;
  constexpr double largest = kLargest<T>;
  if (sum == sum) sum = std::clamp(sum, -largest, largest);
  *static_cast<T*>(a.loss.data) = static_cast<T>(sum);
}

}  // namespace fastiou
