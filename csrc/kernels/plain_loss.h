// The aligned losses of plain rows: float32, one row after the other, each as one vector. Nearly all calls are of that
// sort, and have a kernel without strides and conversions.
#pragma once
#include <optional>

#include "pair_loss.h"

namespace fastiou {

// A format as a linear map of its four numbers (a, b, c, d) and the point (p, q), so that none needs a branch:
// x1 = point * p + first_a * a + first_c * c, x2 = point * p + second_a * a + second_c * c; y likewise of q, b and d.
struct LinearFormat {
  float point, first_a, first_c, second_a, second_c;

  static LinearFormat of(Format format) {
    switch (format) {
      case Format::xywh: return {0, 1, 0, 1, 1};
      case Format::cxcywh: return {0, 1, -0.5f, 1, 0.5f};
      case Format::ltrb: return {1, -1, 0, 0, 1};
      default: return {0, 1, 0, 0, 1};
    }
  }
  // The same corners as those of decode(), where they are no larger than numbers can be.
  FASTIOU_HD Box<float> decode(const float (&x)[4], const float (&at)[2]) const {
    const float p = point * at[0], q = point * at[1];
    return {x[2] * first_c + (x[0] * first_a + p), x[3] * first_c + (x[1] * first_a + q),
            x[2] * second_c + (x[0] * second_a + p), x[3] * second_c + (x[1] * second_a + q)};
  }
  // The transpose: a gradient with respect to corners -> with respect to the four numbers.
  FASTIOU_HD Box<float> encode(const Box<float>& d) const {
    return {d.x2 * second_a + d.x1 * first_a, d.y2 * second_a + d.y1 * first_a,
            d.x2 * second_c + d.x1 * first_c, d.y2 * second_c + d.y1 * first_c};
  }
};

struct PlainLossArgs {
  const float *pred, *target;      // (count, 4)
  const float* points;             // (count, 2), or null
  const float* weight;             // (count), or null
  float* loss;                     // (count), or one number where reduced
  float *grad_pred, *grad_target;  // (count, 4), or null
  uint32_t count;
  bool are_corners, weighted;  // whether both formats are xyxy, and there is a weight
  Format pred_format, target_format;
  LinearFormat pred_map, target_map;
  LossNumbers<float> numbers;
};

// Rows that 32 bits count, with room for the steps of a grid.
constexpr int64_t kMostPlainRows = (int64_t(1) << 32) - (int64_t(1) << 24);

// The arguments of a call whose rows are plain; nothing if they are not.
inline std::optional<PlainLossArgs> as_plain(const PairLossArgs& a) {
  const auto in_order = [&](const Operand& o, int64_t width) {
    return o.dtype == DType::f32 && o.packed && (o.stride[0] == width || a.rows.count == 1);
  };
  const auto absent_or_in_order = [&](const Operand& o, int64_t width) { return !o || in_order(o, width); };
  const bool plain = a.rows.ndim == 1 && a.rows.count <= kMostPlainRows && in_order(a.pred, 4) &&
                     in_order(a.target, 4) && absent_or_in_order(a.points, 2) && absent_or_in_order(a.weight, 1) &&
                     (a.reduction != Reduction::none || in_order(a.loss, 1)) && absent_or_in_order(a.grad_pred, 4) &&
                     absent_or_in_order(a.grad_target, 4);
  if (!plain) return std::nullopt;
  const auto numbers = [](const Operand& o) { return static_cast<float*>(o.data); };
  return PlainLossArgs{numbers(a.pred),
                       numbers(a.target),
                       numbers(a.points),
                       numbers(a.weight),
                       numbers(a.loss),
                       numbers(a.grad_pred),
                       numbers(a.grad_target),
                       static_cast<uint32_t>(a.rows.count),
                       a.pred_format == Format::xyxy && a.target_format == Format::xyxy,
                       bool(a.weight),
                       a.pred_format,
                       a.target_format,
                       LinearFormat::of(a.pred_format),
                       LinearFormat::of(a.target_format),
                       LossNumbers<float>(a)};
}

}  // namespace fastiou
