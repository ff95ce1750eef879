// The aligned losses of rotated boxes on CUDA: one thread per pair, as pair_loss_cuda.cuh.
//
// It moves 44 bytes a pair, and 20 more per gradient. The exact overlap and its gradient take 1000 instructions or
// more, so unlike those of upright boxes these losses are bound by arithmetic.
#pragma once
#include "pair_loss_cuda.cuh"
#include "rotated_cuda.cuh"
#include "rotated_loss.h"
#include "warp_rows_cuda.cuh"

namespace fastiou {

// How a kernel takes rows: those of float32 that lie one after the other, as nearly all do, by way of shared memory.
struct RotatedRowsInOrder {
  bool boxes, grad_pred, grad_target;

  explicit RotatedRowsInOrder(const PairLossArgs& a)
      : boxes(are_warp_rows(a.rows, a.pred) && are_warp_rows(a.rows, a.target)),
        grad_pred(are_warp_rows(a.rows, a.grad_pred)),
        grad_target(are_warp_rows(a.rows, a.grad_target)) {}
};

// The rows [first, first + count) that the threads of a warp have, one each. Those without one have that of the last.
template <Real T> struct RotatedLossRows {
  const PairLossArgs& a;
  WarpRows* shelves;  // two, of shared memory
  int64_t first;
  int lane, count;

  __device__ __forceinline__ int64_t row() const { return first + (lane < count ? lane : count - 1); }

  __device__ __forceinline__ RotatedBox<T> box_on(int shelf, Format format) const {
    const float* const x = shelves[shelf].x + WarpRows::kWidth * (row() - first);
    return decode(format, RotatedBox<T>{x[0], x[1], x[2], x[3], x[4]});
  }
  __device__ __forceinline__ RotatedBox<T> load(const Operand& o, Format format) const {
    int64_t at[1];
    T x[5];
    row_offsets(a.rows, {&o}, row(), at);
    load_row(o, at[0], x);
    return decode(format, RotatedBox<T>{x[0], x[1], x[2], x[3], x[4]});
  }
  __device__ __forceinline__ void load_boxes(bool in_order, RotatedBox<T>& p, RotatedBox<T>& g) const {
    if (!in_order) {
      p = load(a.pred, a.pred_format), g = load(a.target, a.target_format);
      return;
    }
    const auto fetch = [&](int shelf, const Operand& o) {
      copy_warp_rows(shelves[shelf].x, static_cast<const float*>(o.data) + WarpRows::kWidth * first, count);
    };
    fetch(0, a.pred), fetch(1, a.target);
    __syncwarp();
    p = box_on(0, a.pred_format), g = box_on(1, a.target_format);
    __syncwarp();  // the shelves may be used again
  }

  __device__ __forceinline__ void store_gradient(bool in_order, int shelf, const Operand& input, Format format,
                                                 const Operand& out, const RotatedBox<T>& d) const {
    const RotatedBox<T> f = finish(format, largest_of<T>(input.dtype), d);
    const T x[5] = {f.x, f.y, f.w, f.h, f.angle};
    if (!in_order) {
      int64_t at[1];
      row_offsets(a.rows, {&out}, row(), at);
      if (lane < count) store_row_as<5, T, T>(out, at[0], x);
      return;
    }
    for (int k = 0; k < WarpRows::kWidth; ++k) shelves[shelf].x[WarpRows::kWidth * lane + k] = static_cast<float>(x[k]);
    __syncwarp();
    copy_warp_rows(static_cast<float*>(out.data) + WarpRows::kWidth * first, shelves[shelf].x, count);
    __syncwarp();
  }
};

// Blocks that a multiprocessor has registers for, without spills in float.
template <Family kFamily, bool kGrad, Real T>
constexpr int kRotatedBlocks = sizeof(T) > sizeof(float) ? 1 : (kFamily == Family::enclosed ? 2 : 3);

template <Family kFamily, bool kGrad, Real T>
__global__ void __launch_bounds__(kThreads, kRotatedBlocks<kFamily, kGrad, T>)
    rotated_loss_kernel(const __grid_constant__ RotatedLossArgs args, const __grid_constant__ RotatedParams<T> params,
                        const __grid_constant__ LossNumbers<T> numbers, const RotatedRowsInOrder in_order,
                        const ReduceScratch scratch) {
  __shared__ WarpRows shelves[kThreads / 32][2];
  const PairLossArgs& a = args.pair;
  const T factor = numbers.total_factor();
  RunningSum<T> sum{};
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * kThreads + 32 * warp; first < a.rows.count; first += step) {
    const int64_t rest = a.rows.count - first;
    const RotatedLossRows<T> rows{a, shelves[warp], first, lane, rest < 32 ? static_cast<int>(rest) : 32};
    int64_t at[1];
    row_offsets(a.rows, {&a.weight}, rows.row(), at);
    T weight[1] = {1};
    if (a.weight) load_row(a.weight, at[0], weight);
    RotatedBox<T> p, g;
    rows.load_boxes(in_order.boxes, p, g);
    const RotatedValue<T> r =
        evaluate<kFamily, true, kGrad>(params, p, g, direction(g.angle, params.unit), weight[0] * factor);
    if (lane < rows.count) {
      row_offsets(a.rows, {&a.loss}, rows.row(), at);  // not before: registers are short above
      if (a.reduction == Reduction::none) static_cast<T*>(a.loss.data)[at[0]] = r.value;
      else sum.add(r.value);
    }
    if constexpr (kGrad) {
      if (a.grad_pred) rows.store_gradient(in_order.grad_pred, 0, a.pred, a.pred_format, a.grad_pred, r.grad.p);
      if (a.grad_target)
        rows.store_gradient(in_order.grad_target, 1, a.target, a.target_format, a.grad_target, r.grad.g);
    }
  }
  if (a.reduction != Reduction::none) store_reduced(a.loss.data, sum, scratch);
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
