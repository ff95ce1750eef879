// The aligned losses over pixels on CUDA: a warp per pair, or a block where boxes are large.
#pragma once
#include "pair_loss_cuda.cuh"
#include "pixel_loss.h"
#include "pixel_sums_cuda.cuh"

namespace fastiou {

template <Real T>
__device__ __forceinline__ PixelBox<T> load_pixel_box(const Operand& o, int64_t offset, Format format,
                                                      const AngleUnit<T>& unit) {
  T x[5], upright[4];
  if (is_rotated(format)) {
    load_row(o, offset, x);
  } else {
    load_row(o, offset, upright);
    x[0] = upright[0], x[1] = upright[1], x[2] = upright[2], x[3] = upright[3], x[4] = 0;
  }
  return pixel_box(read_box(format, x), unit);
}

template <Real T>
__device__ __forceinline__ void store_gradient(const Operand& input, Format format, T radians, const Operand& out,
                                               int64_t offset, const CentredBox<T>& d) {
  T x[5];
  finish(format, largest_of<T>(input.dtype), radians, d, x);
  if (is_rotated(format)) return store_row_as<5, T, T>(out, offset, x);
  const T upright[4] = {x[0], x[1], x[2], x[3]};
  store_row_as<4, T, T>(out, offset, upright);
}

template <int kGrads, Real T>
__global__ void __launch_bounds__(kPixelThreads, kPixelBlocks<T>)
    pixel_loss_kernel(const __grid_constant__ PixelLossArgs args, const __grid_constant__ PixelParams<T> params,
                      const __grid_constant__ LossNumbers<T> numbers, const ReduceScratch scratch) {
  const PairLossArgs& a = args.pair;
  const AngleUnit<T> unit = angle_unit<T>(in_degrees(a.pred_format));
  const T factor = numbers.total_factor();
  RunningSum<T> sum{};
#pragma unroll 1
  for (PixelTurns turn(a.rows.count); turn.there(); turn.next()) {
    int64_t at[3];
    row_offsets(a.rows, {&a.pred, &a.target, &a.weight}, turn.at, at);
    const PixelBox<T> p = load_pixel_box(a.pred, at[0], a.pred_format, unit);
    const PixelBox<T> g = load_pixel_box(a.target, at[1], a.target_format, unit);
    if (!turn.takes(is_large(params, p, g))) continue;
    T weight[1] = {1};
    if (a.weight) load_row(a.weight, at[2], weight);
    const PixelTeam<T> team(turn.together);
    const PixelValue<kGrads, T> r = pixel_loss<kGrads>(team, params, p, g, weight[0] * factor);
    if (!team.leads()) continue;
    row_offsets(a.rows, {&a.loss, &a.grad_pred, &a.grad_target}, turn.at, at);  // not before: registers are short above
    if (a.reduction != Reduction::none) sum.add(r.value);
    else if (a.loss.dtype == DType::f32) static_cast<float*>(a.loss.data)[at[0]] = static_cast<float>(r.value);
    else static_cast<T*>(a.loss.data)[at[0]] = r.value;
    if constexpr (kGrads > 0)
      if (a.grad_pred) store_gradient(a.pred, a.pred_format, unit.radians, a.grad_pred, at[1], r.d[0]);
    if constexpr (kGrads > 1)
      if (a.grad_target) store_gradient(a.target, a.target_format, unit.radians, a.grad_target, at[2], r.d[1]);
  }
  if (a.reduction != Reduction::none) store_reduced<kPixelThreads>(a.loss.data, sum, scratch);
}

}  // namespace fastiou
