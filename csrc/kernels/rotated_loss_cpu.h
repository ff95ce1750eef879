// The aligned losses of rotated boxes on the CPU: tiles of rows are gathered, go through the stages, and are scattered.
#pragma once
#include "pair_loss_cpu.h"
#include "rotated_cpu.h"
#include "rotated_loss.h"

namespace fastiou {

template <Real T> FASTIOU_CLONES void decode_rotated(Format format, int64_t n, Columns<T, 5>& c) {
  for (int64_t j = 0; j < n; ++j) set_rotated<T>(c, j, decode(format, rotated_at<T>(c, j)));
}
template <Real T> FASTIOU_CLONES void finish_rotated(Format format, T largest, int64_t n, Columns<T, 5>& c) {
  for (int64_t j = 0; j < n; ++j) set_rotated<T>(c, j, finish(format, largest, rotated_at<T>(c, j)));
}

// Rows [begin, end); returns the sum of their losses where they are reduced.
template <Real T>
double rotated_loss_rows(const RotatedLossArgs& args, const RotatedStages<T>& stages, double factor, int64_t begin,
                         int64_t end) {
  const PairLossArgs& a = args.pair;
  RotatedTile<T> t;
  alignas(64) Columns<T, 1> weight;
  double sum = 0;
  std::fill_n(weight[0], kTile<T>, static_cast<T>(factor));
  for (int64_t i = begin; i < end; i += kTile<T>) {
    const int64_t n = std::min<int64_t>(kTile<T>, end - i);
    gather<5, T>(a.rows, a.pred, i, n, t.p);
    gather<5, T>(a.rows, a.target, i, n, t.g);
    if (counterclockwise(a.pred_format)) decode_rotated<T>(a.pred_format, n, t.p);
    if (counterclockwise(a.target_format)) decode_rotated<T>(a.target_format, n, t.g);
    if (a.weight) {
      gather<1, T>(a.rows, a.weight, i, n, weight);
      for (int64_t j = 0; j < n; ++j) weight[0][j] *= static_cast<T>(factor);
    }
    stages(t, n, weight[0]);
    if (a.reduction == Reduction::none) scatter<1, T>(a.rows, a.loss, i, n, t.result.v);
    else sum += sum_tile<T>(t.result.v[0], n);
    const auto write = [&](const Operand& input, Format format, const Operand& grad, Columns<T, 5>& c) {
      const T largest = largest_of<T>(input.dtype);
      if (counterclockwise(format) || largest < kLargest<T>) finish_rotated<T>(format, largest, n, c);
      scatter<5, T>(a.rows, grad, i, n, c);
    };
    if (a.grad_pred) write(a.pred, a.pred_format, a.grad_pred, t.grad_p);
    if (a.grad_target) write(a.target, a.target_format, a.grad_target, t.grad_g);
  }
  return sum;
}

}  // namespace fastiou
