// The aligned losses over pixels on the CPU: a pair at a time, whose pixels fill the vectors.
#pragma once
#include "pair_loss_cpu.h"
#include "pixel_loss.h"
#include "pixel_sums_cpu.h"

namespace fastiou {

// Boxes [begin, begin + n) of an operand, as they are written.
template <Real T>
void gather_boxes(const Rows& rows, const Operand& from, Format format, int64_t begin, int64_t n, Columns<T, 5>& c) {
  if (is_rotated(format)) gather<5, T>(rows, from, begin, n, c);
  else gather<4, T>(rows, from, begin, n, reinterpret_cast<Columns<T, 4>&>(c));
}
template <Real T>
void scatter_boxes(const Rows& rows, const Operand& to, Format format, int64_t begin, int64_t n,
                   const Columns<T, 5>& c) {
  if (is_rotated(format)) scatter<5, T>(rows, to, begin, n, c);
  else scatter<4, T>(rows, to, begin, n, reinterpret_cast<const Columns<T, 4>&>(c));
}
template <Real T> PixelBox<T> pixel_box_at(const Columns<T, 5>& c, int64_t j, Format format, const AngleUnit<T>& unit) {
  const T numbers[5] = {c[0][j], c[1][j], c[2][j], c[3][j], is_rotated(format) ? c[4][j] : T(0)};
  return pixel_box(read_box(format, numbers), unit);
}

// Rows [begin, end), no more than a tile holds; returns the sum of their losses where they are reduced.
template <int kGrads, Real T>
double pixel_loss_rows(const PixelLossArgs& args, const PixelParams<T>& params, double factor, int64_t begin,
                       int64_t end) {
  const PairLossArgs& a = args.pair;
  const AngleUnit<T> unit = angle_unit<T>(in_degrees(a.pred_format));
  PixelSums<T> engine;
  alignas(64) Columns<T, 5> p, g, grad[2];
  alignas(64) Columns<T, 1> weight, loss;
  const int64_t n = end - begin;
  gather_boxes<T>(a.rows, a.pred, a.pred_format, begin, n, p);
  gather_boxes<T>(a.rows, a.target, a.target_format, begin, n, g);
  if (a.weight) gather<1, T>(a.rows, a.weight, begin, n, weight);
  else std::fill_n(weight[0], n, T(1));

  const Operand* const inputs[] = {&a.pred, &a.target};
  const Format formats[] = {a.pred_format, a.target_format};
  double sum = 0;
  for (int64_t j = 0; j < n; ++j) {
    const PixelBox<T> pred = pixel_box_at<T>(p, j, formats[0], unit), target = pixel_box_at<T>(g, j, formats[1], unit);
    const T times = weight[0][j] * static_cast<T>(factor);
    const PixelValue<kGrads, T> r = pixel_loss<kGrads>(engine, params, pred, target, times);
    loss[0][j] = r.value;
    sum += r.value;
    for (int i = 0; i < kGrads; ++i) {
      T numbers[5];
      finish(formats[i], largest_of<T>(inputs[i]->dtype), unit.radians, r.d[i], numbers);
      for (int k = 0; k < 5; ++k) grad[i][k][j] = numbers[k];
    }
  }
  if (a.reduction == Reduction::none) {
    if (a.loss.dtype == DType::f32 && sizeof(T) > sizeof(float)) {  // pixels are counted in double
      alignas(64) Columns<float, 1> narrow;
      for (int64_t j = 0; j < n; ++j) narrow[0][j] = static_cast<float>(loss[0][j]);
      scatter<1, float>(a.rows, a.loss, begin, n, narrow);
    } else {
      scatter<1, T>(a.rows, a.loss, begin, n, loss);
    }
  }
  if (a.grad_pred) scatter_boxes<T>(a.rows, a.grad_pred, a.pred_format, begin, n, grad[0]);
  if (a.grad_target) scatter_boxes<T>(a.rows, a.grad_target, a.target_format, begin, n, grad[1]);
  return sum;
}

}  // namespace fastiou
