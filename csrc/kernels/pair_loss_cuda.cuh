// The aligned losses on CUDA: one thread per pair, everything in registers between one load and one store. The kernel
// here takes rows of any dtype and stride, formats and anchor points; plain_loss_cuda.cuh has one for rows that most
// calls have.
#pragma once
#include "loads_cuda.cuh"
#include "pair_loss.h"
#include "reduce_cuda.cuh"

namespace fastiou {

template <Real T>
__device__ __forceinline__ void store_gradient(const PairLossArgs& a, const Operand& input, Format format,
                                               const Operand& out, int64_t offset, const Box<T>& d) {
  const Box<T> f = finish(format, largest_of<T>(input.dtype), d);
  const T x[4] = {f.x1, f.y1, f.x2, f.y2};
  store_row_as<4, T, T>(out, offset, x);
}

// The losses of all rows as one number, no further than the largest one, where they are reduced.
template <int kBlock = kThreads, Real T>
__device__ __forceinline__ void store_reduced(void* loss, const RunningSum<T>& mine, const ReduceScratch& scratch) {
  T total;
  if (grid_sum<kBlock>(mine, scratch, total)) *static_cast<T*>(loss) = bounded(total, kLargest<T>);
}

// Blocks that a multiprocessor has registers for, at least: 32 warps, so that enough loads are on their way.
template <Real T> constexpr int kLossBlocks = sizeof(T) > sizeof(float) ? 1 : 4;

template <class Kind, Grad kGrad, Real T>
__global__ void __launch_bounds__(kThreads, kLossBlocks<T>)
    pair_loss_kernel(const __grid_constant__ PairLossArgs a, const __grid_constant__ LossNumbers<T> numbers,
                     const ReduceScratch scratch) {
  const T factor = numbers.total_factor();
  RunningSum<T> sum{};
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; row < a.rows.count; row += step) {
    int64_t at[7];
    row_offsets(a.rows, {&a.pred, &a.target, &a.points, &a.weight, &a.loss, &a.grad_pred, &a.grad_target}, row, at);
    T p[4], g[4], points[2] = {0, 0}, weight[1] = {1};
    load_row(a.pred, at[0], p);
    load_row(a.target, at[1], g);
    if (a.points) load_row(a.points, at[2], points);
    if (a.weight) load_row(a.weight, at[3], weight);
    Box<T> pb = decode(a.pred_format, p[0], p[1], p[2], p[3], points[0], points[1]);
    Box<T> gb = decode(a.target_format, g[0], g[1], g[2], g[3], points[0], points[1]);
    Eps<T> eps = numbers.eps;
    const bool plain = is_plain(pb, gb, eps);
    const T scale = plain ? T(1) : rescale(pb, gb, eps), w = weight[0] * factor;
    PairGradients<T> r = evaluate<LossOf<Kind>, kGrad>(pb, gb, eps, w);
    if (!plain || !is_finite<kGrad>(r)) settle(r, pb, gb, w, scale);
    if (a.reduction == Reduction::none) static_cast<T*>(a.loss.data)[at[4]] = r.value;
    else sum.add(r.value);
    if constexpr (kGrad != Grad::none)
      if (a.grad_pred) store_gradient(a, a.pred, a.pred_format, a.grad_pred, at[5], r.pred);
    if constexpr (kGrad == Grad::both)
      if (a.grad_target) store_gradient(a, a.target, a.target_format, a.grad_target, at[6], r.target);
  }
  if (a.reduction != Reduction::none) store_reduced(a.loss.data, sum, scratch);
}

}  // namespace fastiou
