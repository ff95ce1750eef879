// Rows of aligned losses on torch's threads.
#pragma once
#include <algorithm>
#include <vector>

#include "../kernels/pair_loss.h"
#include "parallel.h"

namespace fastiou {

// Rows per task. Sums are taken per task and added in order: the result does not depend on the number of threads.
constexpr int64_t kTaskRows = 4096;

// Calls rows(factor, begin, end) for all rows, a task at a time; it returns the sum of their losses where these are
// reduced. Rows that differ much in length have small tasks.
template <Real T, class Rows>
void for_loss_rows(const PairLossArgs& a, const Rows& rows, int64_t task_rows = kTaskRows) {
  const double factor = factor_of(a);
  const int64_t tasks = (a.rows.count + task_rows - 1) / task_rows;
  double sum = 0;
  if (tasks == 1) {
    sum = rows(factor, 0, a.rows.count);
  } else {
    std::vector<double> sums(tasks);
    const auto task = [&](int64_t i) {
      sums[i] = rows(factor, i * task_rows, std::min(a.rows.count, (i + 1) * task_rows));
    };
    if (task_rows == kTaskRows) for_tasks(tasks, task);
    else for_uneven_tasks(tasks, task);
    for (const double s : sums) sum += s;
  }
  if (a.reduction == Reduction::none) return;
  constexpr double largest = kLargest<T>;
  if (sum == sum) sum = std::clamp(sum, -largest, largest);
  *static_cast<T*>(a.loss.data) = static_cast<T>(sum);
}

}  // namespace fastiou
