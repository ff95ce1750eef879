// The gradient of pairwise scores on CUDA, recomputed: a thread holds one own box and adds up over the others, which pass
// by in shared memory with their part of the incoming gradient. No atomics: slices of the others are added by a second
// kernel, in order.
#pragma once
#include "pairwise_cuda.cuh"

namespace fastiou {

constexpr int kOwnBoxes = 128;   // per block, one per thread
constexpr int kOtherBoxes = 32;  // in shared memory at a time; sums of so many terms go to double

// How a linear block index falls apart into slice of others, batch, tile of own boxes.
struct PairwiseBackwardGrid {
  int64_t tiles, slice, blocks;
  explicit PairwiseBackwardGrid(const PairwiseBackwardArgs& a)
      : tiles(tiles_of(a.own.count, kOwnBoxes)),
        slice(tiles_of(a.other.count, a.slices)),
        blocks(a.slices * a.batch * tiles) {}
};

// Value and gradients where a box may be odd, in the careful way of evaluate_any().
template <class Kind, bool kOwnFirst, Real T>
__device__ __attribute__((noinline)) Box<T> odd_gradient(const Box<T> own, const Box<T> other, const Eps<T> eps,
                                                         const T largest) {
  const PairGradients<T> r = kOwnFirst ? evaluate_any<Kind, Grad::pred>(own, other, eps, T(1))
                                       : evaluate_any<Kind, Grad::both>(other, own, eps, T(1));
  return finish(Format::xyxy, largest, kOwnFirst ? r.pred : r.target);
}

template <class Kind, bool kOwnFirst, Real T>
__global__ void __launch_bounds__(kOwnBoxes)
    pairwise_backward_kernel(const __grid_constant__ PairwiseBackwardArgs a, const PairwiseBackwardGrid grid) {
  __shared__ Box<T> others[kOtherBoxes];
  __shared__ unsigned char plain_other[kOtherBoxes], has_other[kOtherBoxes];
  __shared__ T incoming[kOwnBoxes][kOtherBoxes + 1];  // one more, so that a column does not fall into one bank
  __shared__ unsigned again;

  const int64_t block = blockIdx.x;
  const int64_t begin = block % grid.tiles * kOwnBoxes;
  const int64_t batch = block / grid.tiles % a.batch, part = block / grid.tiles / a.batch;
  const int64_t end = a.other.count < (part + 1) * grid.slice ? a.other.count : (part + 1) * grid.slice;
  const unsigned mine = threadIdx.x;
  const bool there = begin + mine < a.own.count;
  const bool has = there && a.own.has(batch, begin + mine);
  const Box<T> own = has ? load_box<T>(a.own, batch, begin + mine) : Box<T>{0, 0, 0, 0};
  const bool plain = is_plain(own);
  const Eps<T> eps = eps_of<T>(a.eps);
  const T largest = largest_of<T>(a.own.dtype);
  const T* const grad = static_cast<const T*>(a.grad) + batch * a.grad_batch_stride;
  const bool along_own = a.grad_own_stride <= a.grad_other_stride;  // which way neighbours in memory lie

  double sum[4];
  T largest_grad = 1;
  bool careful = !plain;
  for (int pass = 0; pass < 2; ++pass) {
    for (int k = 0; k < 4; ++k) sum[k] = 0;
    for (int64_t at = part * grid.slice; at < end; at += kOtherBoxes) {
      __syncthreads();
      if (mine < kOtherBoxes && at + mine < end) {
        const Box<T> b = load_box<T>(a.other, batch, at + mine);
        others[mine] = b;
        plain_other[mine] = is_plain(b);
        has_other[mine] = a.other.has(batch, at + mine);
      }
      for (int i = 0; i < kOtherBoxes; ++i) {
        const int flat = i * kOwnBoxes + mine;
        const int o = along_own ? mine : flat / kOtherBoxes, k = along_own ? i : flat % kOtherBoxes;
        const bool inside = begin + o < a.own.count && at + k < end;
        incoming[o][k] = inside ? grad[(begin + o) * a.grad_own_stride + (at + k) * a.grad_other_stride] : T(0);
      }
      __syncthreads();
      T terms[4] = {0, 0, 0, 0};
      const int count = end - at < kOtherBoxes ? static_cast<int>(end - at) : kOtherBoxes;
      for (int k = 0; k < count && has; ++k) {
        const T g = incoming[mine][k];
        if (!has_other[k]) continue;
        largest_grad = max(abs(g), largest_grad);
        if (plain_other[k] && !careful) {
          Box<T> d;
          if constexpr (kOwnFirst) d = evaluate<ScoreOf<Kind>, Grad::pred>(own, others[k], eps, g).pred;
          else d = evaluate<ScoreOf<Kind>, Grad::both>(others[k], own, eps, g).target;
          terms[0] += d.x1, terms[1] += d.y1, terms[2] += d.x2, terms[3] += d.y2;
        } else if (g != 0) {
          add_settled(sum, odd_gradient<Kind, kOwnFirst>(own, others[k], eps, largest), g);
        }
      }
      for (int k = 0; k < 4; ++k) sum[k] += terms[k];
    }
    if (pass == 1) break;
    // Again, with care, where sums are beyond the boxes' dtype or of no value at all. All threads load for each other.
    careful = careful || !is_trusted(sum, a.own.dtype, largest_grad);
    __syncthreads();
    if (mine == 0) again = 0;
    __syncthreads();
    if (careful && plain) atomicMax(&again, 1u);
    __syncthreads();
    if (again == 0) break;
  }
  if (!there) return;
  double* const to = a.partial + ((part * a.batch + batch) * a.own.count + begin + mine) * kPartials;
  for (int k = 0; k < 4; ++k) to[k] = sum[k];
  to[kLargestGrad] = largest_grad;
}

// Adds the slices up and encodes.
template <Real T> __global__ void __launch_bounds__(kThreads) finish_boxes_kernel(const __grid_constant__ PairwiseBackwardArgs a) {
  const int64_t rows = a.batch * a.own.count, step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < rows; i += step) finish_box<T>(a, i);
}

}  // namespace fastiou
