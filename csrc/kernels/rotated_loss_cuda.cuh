// The aligned losses of rotated boxes on CUDA: one thread per pair, as pair_loss_cuda.cuh.
#pragma once
#include "pair_loss_cuda.cuh"
#include "rotated_cuda.cuh"
#include "rotated_loss.h"

namespace fastiou {

template <Real T>
__device__ __forceinline__ RotatedBox<T> load_rotated(const Operand& o, int64_t offset, Format format) {
  T x[5];
  load_row(o, offset, x);
  return decode(format, RotatedBox<T>{x[0], x[1], x[2], x[3], x[4]});
}

template <Real T>
__device__ __forceinline__ void store_gradient(const Operand& input, Format format, const Operand& out, int64_t offset,
                                               const RotatedBox<T>& d) {
  const RotatedBox<T> f = finish(format, largest_of<T>(input.dtype), d);
  const T x[5] = {f.x, f.y, f.w, f.h, f.angle};
  store_row_as<5, T, T>(out, offset, x);
}

// Blocks that a multiprocessor has registers for, without spills in float.
template <Family kFamily, bool kGrad, Real T>
constexpr int kRotatedBlocks = sizeof(T) > sizeof(float) ? 1 : (kFamily == Family::enclosed ? 2 : 3);

template <Family kFamily, bool kGrad, Real T>
__global__ void __launch_bounds__(kThreads, kRotatedBlocks<kFamily, kGrad, T>)
    rotated_loss_kernel(const __grid_constant__ RotatedLossArgs args, const __grid_constant__ RotatedParams<T> params,
                        const ReduceScratch scratch) {
  const PairLossArgs& a = args.pair;
  const T factor = static_cast<T>(factor_of(a));
  double sum = 0;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; row < a.rows.count; row += step) {
    int64_t at[3];
    row_offsets(a.rows, {&a.pred, &a.target, &a.weight}, row, at);
    T weight[1] = {1};
    const RotatedBox<T> p = load_rotated<T>(a.pred, at[0], a.pred_format);
    const RotatedBox<T> g = load_rotated<T>(a.target, at[1], a.target_format);
    if (a.weight) load_row(a.weight, at[2], weight);
    const RotatedValue<T> r =
        evaluate<kFamily, true, kGrad>(params, p, g, direction(g.angle, params.unit), weight[0] * factor);
    row_offsets(a.rows, {&a.loss, &a.grad_pred, &a.grad_target}, row, at);  // not before: registers are short above
    if (a.reduction == Reduction::none) static_cast<T*>(a.loss.data)[at[0]] = r.value;
    else sum += r.value;
    if constexpr (kGrad) {
      if (a.grad_pred) store_gradient(a.pred, a.pred_format, a.grad_pred, at[1], r.grad.p);
      if (a.grad_target) store_gradient(a.target, a.target_format, a.grad_target, at[2], r.grad.g);
    }
  }
  store_reduced<T>(a, sum, scratch);
}

// Calls f(kernel) for these options.
template <Real T, class F> void with_rotated_loss_kernel(const RotatedParams<T>& params, bool grad, F&& f) {
  if (!grad) return f(rotated_loss_kernel<Family::any, false, T>);
  switch (params.family) {
    case Family::any: break;
    case Family::lone: return f(rotated_loss_kernel<Family::lone, true, T>);
    case Family::enclosed: return f(rotated_loss_kernel<Family::enclosed, true, T>);
    case Family::gaussian: return f(rotated_loss_kernel<Family::gaussian, true, T>);
  }
}

}  // namespace fastiou
