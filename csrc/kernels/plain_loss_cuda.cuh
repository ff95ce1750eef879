// The aligned losses of plain rows on CUDA: one thread per pair, two vectors of four numbers in, one out per gradient.
//
// It moves 36 bytes a pair without gradients, 52 with one and 68 with both (4 less where losses are reduced), and for
// that computes CIoU in 160, 255 and 340 instructions on sm_90: at the rate at which an H100 issues them that takes
// less time than memory does. Loads and stores have no hints of eviction: rows that fit the L2 cache had better stay
// there for the backward pass, and those that do not are read once, in order. One row per thread is enough: 48 warps or
// so per multiprocessor have more loads on their way than the latency of memory asks for.
#pragma once
#include "pair_loss_cuda.cuh"
#include "plain_loss.h"

namespace fastiou {

using FourNumbers = Packed<float, 4>;
using TwoNumbers = Packed<float, 2>;

// A pair as it is written.
struct PlainRow {
  FourNumbers pred, target;
  float weight;

  __device__ __forceinline__ PlainRow(const PlainLossArgs& a, uint32_t row, float factor)
      : pred(reinterpret_cast<const FourNumbers*>(a.pred)[row]),
        target(reinterpret_cast<const FourNumbers*>(a.target)[row]),
        weight(a.weighted ? a.weight[row] * factor : factor) {}
};

__device__ __forceinline__ TwoNumbers point_of(const PlainLossArgs& a, uint32_t row) {
  return a.points ? reinterpret_cast<const TwoNumbers*>(a.points)[row] : TwoNumbers{};
}

__device__ __forceinline__ Box<float> box_of(const FourNumbers& v) { return {v.x[0], v.x[1], v.x[2], v.x[3]}; }
__device__ __forceinline__ void store_box(float* to, uint32_t row, const Box<float>& d) {
  reinterpret_cast<FourNumbers*>(to)[row] = {{d.x1, d.y1, d.x2, d.y2}};
}

template <Grad kGrad>
__device__ __forceinline__ void store_gradients(const PlainLossArgs& a, uint32_t row, PairGradients<float> r) {
  if (!a.are_corners) {
    if constexpr (kGrad != Grad::none) r.pred = a.pred_map.encode(r.pred);
    if constexpr (kGrad == Grad::both) r.target = a.target_map.encode(r.target);
  }
  if constexpr (kGrad == Grad::pred) store_box(a.grad_pred, row, r.pred);
  if constexpr (kGrad == Grad::both) {
    if (a.grad_pred) store_box(a.grad_pred, row, r.pred);
    store_box(a.grad_target, row, r.target);
  }
}

// A rare row from beginning to end: stores its gradients and returns its loss. Not inlined, because it would take
// registers and instructions of all others.
template <class Kind, Grad kGrad>
__device__ __attribute__((noinline)) float rare_row(const PlainLossArgs& a, uint32_t row, float factor) {
  const PlainRow x(a, row, factor);
  const TwoNumbers point = point_of(a, row);
  const auto box = [&](Format format, const float (&b)[4]) {
    return decode(format, b[0], b[1], b[2], b[3], point.x[0], point.x[1]);
  };
  const PairGradients<float> r = evaluate_carefully<LossOf<Kind>, kGrad>(
      box(a.pred_format, x.pred.x), box(a.target_format, x.target.x), a.numbers.eps, x.weight);
  store_gradients<kGrad>(a, row, r);
  return r.value;
}

// Stores the gradients of a row and returns its loss.
template <class Kind, Grad kGrad>
__device__ __forceinline__ float plain_row(const PlainLossArgs& a, uint32_t row, float factor) {
  const PlainRow x(a, row, factor);
  Box<float> p = box_of(x.pred), g = box_of(x.target);
  if (!a.are_corners) {
    const TwoNumbers point = point_of(a, row);
    p = a.pred_map.decode(x.pred.x, point.x), g = a.target_map.decode(x.target.x, point.x);
  }
  const PairGradients<float> r = evaluate<LossOf<Kind>, kGrad>(p, g, a.numbers.eps, x.weight);
  if (!(is_plain(p, g, a.numbers.eps) & is_finite<kGrad>(r))) return rare_row<Kind, kGrad>(a, row, factor);
  store_gradients<kGrad>(a, row, r);
  return r.value;
}

template <class Kind, Grad kGrad, bool kReduced>
__global__ void __launch_bounds__(kThreads, kLossBlocks<float>)
    plain_loss_kernel(const __grid_constant__ PlainLossArgs a, const ReduceScratch scratch) {
  const float factor = a.numbers.total_factor();
  uint32_t row = blockIdx.x * kThreads + threadIdx.x;
  if constexpr (kReduced) {
    RunningSum<float> sum{};
    for (; row < a.count; row += gridDim.x * kThreads) sum.add(plain_row<Kind, kGrad>(a, row, factor));
    store_reduced(a.loss, sum, scratch);
  } else {
    if (row < a.count) a.loss[row] = plain_row<Kind, kGrad>(a, row, factor);
  }
}

}  // namespace fastiou
