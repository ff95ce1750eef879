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

// Not for the loop: nine formulas inside of it take minutes to compile.
template <Real T>
__device__ __attribute__((noinline)) RotatedGradient<T> gaussian_gradient(const RotatedParams<T>& o, const RotatedBox<T> p,
                                                                          const RotatedBox<T> g, const Direction<T> at) {
  return evaluate<Family::gaussian, false, true>(o, p, g, at, T(1)).grad;
}

// The first one or the second one, number by number: a choice between two places would keep boxes in memory.
template <Real T>
__device__ __forceinline__ RotatedBox<T> pick(bool first, const RotatedBox<T>& a, const RotatedBox<T>& b) {
  return {first ? a.x : b.x, first ? a.y : b.y, first ? a.w : b.w, first ? a.h : b.h, first ? a.angle : b.angle};
}
template <Real T> __device__ __forceinline__ PosedBox<T> pick(bool first, const PosedBox<T>& a, const PosedBox<T>& b) {
  const Direction<T> at{first ? a.at.c : b.at.c, first ? a.at.s : b.at.s};
  return {pick<T>(first, static_cast<const RotatedBox<T>&>(a), b), at, {}};
}

// What the sums of an own box are made of: in `terms` quickly, or in `sum` with care.
template <int n, Real T> struct GradientSums {
  double sum[n];
  T terms[n];
  T largest_grad = 1;

  // The pair of an own box and another one with the incoming gradient g.
  template <class Kind, bool kOwnFirst>
  __device__ __forceinline__ void add(const Box<T>& own, const Box<T>& other, const Eps<T>& eps, T g, bool, bool plain,
                                      bool careful, T largest) {
    largest_grad = max(abs(g), largest_grad);
    if (plain && !careful) {
      Box<T> d;
      if constexpr (kOwnFirst) d = evaluate<ScoreOf<Kind>, Grad::pred>(own, other, eps, g).pred;
      else d = evaluate<ScoreOf<Kind>, Grad::both>(other, own, eps, g).target;
      terms[0] += d.x1, terms[1] += d.y1, terms[2] += d.x2, terms[3] += d.y2;
    } else if (g != 0) {
      add_settled(sum, odd_gradient<Kind, kOwnFirst>(own, other, eps, largest), g);
    }
  }

  // Rotated boxes ask at run time which one is first.
  template <class Kind, bool kOwnFirst>
  __device__ __forceinline__ void add(const PosedBox<T>& own, const PosedBox<T>& other, const RotatedParams<T>& o, T g,
                                      bool own_first, bool, bool careful, T largest) {
    if (g == 0 || (o.zero_if_disjoint && out_of_reach(own, other))) return;
    largest_grad = max(abs(g), largest_grad);
    const PosedBox<T> p = pick(own_first, own, other), q = pick(own_first, other, own);
    RotatedGradient<T> grad;
    if constexpr (kFamily<Kind> == Family::gaussian) grad = gaussian_gradient<T>(o, p, q, q.at);
    else grad = evaluate<kFamily<Kind>, false, true>(o, p, q, q.at, T(1)).grad;
    const RotatedBox<T> settled = pick(own_first, grad.p, grad.g);
    const RotatedBox<T> d = careful ? finish(Format::cxcywhr, largest, settled) : settled;
    const T x[5] = {d.x, d.y, d.w, d.h, d.angle};
    if (careful) return add_settled(sum, x, g);
    FASTIOU_UNROLL
    for (int k = 0; k < 5; ++k) terms[k] += x[k] * g;
  }
};

// Boxes as pairs are made of: not prepared where a gradient is wanted, which does not know what was found beforehand.
template <class Kind, Real T> using MetBox = std::conditional_t<kIsRotated<Kind>, Ready<Kind, T>, Loaded<Kind, T>>;
template <class Kind, Real T>
__device__ __forceinline__ MetBox<Kind, T> met_box(const BoxSet& s, int64_t batch, int64_t i, const Given<Kind, T>& given) {
  const auto b = load_box<Loaded<Kind, T>>(s, batch, i);
  if constexpr (kIsRotated<Kind>) return ready<Kind>(b, given);
  else return b;
}

template <class Kind, bool kOwnFirst, Real T>
__global__ void __launch_bounds__(kOwnBoxes)
    pairwise_backward_kernel(const __grid_constant__ PairwiseBackwardArgs a, const PairwiseBackwardGrid grid,
                             const __grid_constant__ Given<Kind, T> given) {
  constexpr int kWidth = kIsRotated<Kind> ? 5 : 4;
  __shared__ MetBox<Kind, T> others[kOtherBoxes];
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
  const MetBox<Kind, T> own = has ? met_box<Kind, T>(a.own, batch, begin + mine, given) : MetBox<Kind, T>{};
  const bool plain = is_plain(own);
  const T largest = largest_of<T>(a.own.dtype);
  const T* const grad = static_cast<const T*>(a.grad) + batch * a.grad_batch_stride;
  const bool along_own = a.grad_own_stride <= a.grad_other_stride;  // which way neighbours in memory lie

  GradientSums<kWidth, T> sums;
  bool careful = !plain;
  for (int pass = 0; pass < 2; ++pass) {
    FASTIOU_UNROLL
    for (int k = 0; k < kWidth; ++k) sums.sum[k] = 0;
    for (int64_t at = part * grid.slice; at < end; at += kOtherBoxes) {
      __syncthreads();
      if (mine < kOtherBoxes && at + mine < end) {
        const auto b = met_box<Kind, T>(a.other, batch, at + mine, given);
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
      FASTIOU_UNROLL
      for (int k = 0; k < kWidth; ++k) sums.terms[k] = 0;
      const int count = end - at < kOtherBoxes ? static_cast<int>(end - at) : kOtherBoxes;
      for (int k = 0; k < count && has; ++k) {
        const T g = incoming[mine][k];
        if (has_other[k])
          sums.template add<Kind, kOwnFirst>(own, others[k], given, g, a.own_first, plain_other[k], careful, largest);
      }
      FASTIOU_UNROLL
      for (int k = 0; k < kWidth; ++k) sums.sum[k] += sums.terms[k];
    }
    if (pass == 1) break;
    // Again, with care, where sums are beyond the boxes' dtype or of no value at all. All threads load for each other.
    careful = careful || !is_trusted(sums.sum, a.own.dtype, sums.largest_grad);
    __syncthreads();
    if (mine == 0) again = 0;
    __syncthreads();
    if (careful && plain) atomicMax(&again, 1u);
    __syncthreads();
    if (again == 0) break;
  }
  if (!there) return;
  double* const to = a.partial + ((part * a.batch + batch) * a.own.count + begin + mine) * kPartials;
  FASTIOU_UNROLL
  for (int k = 0; k < kWidth; ++k) to[k] = sums.sum[k];
  to[kLargestGrad] = sums.largest_grad;
}

// Calls f(kernel) for a kind.
template <class Kind, Real T, class F> void with_backward_kernel(bool own_first, const Given<Kind, T>& given, F&& f) {
  if constexpr (!kIsRotated<Kind>) {
    if (own_first) f(pairwise_backward_kernel<Kind, true, T>);
    else f(pairwise_backward_kernel<Kind, false, T>);
  } else {
    switch (given.family) {
      case Family::any: break;
      case Family::lone: return f(pairwise_backward_kernel<RotatedOf<Family::lone>, true, T>);
      case Family::enclosed: return f(pairwise_backward_kernel<RotatedOf<Family::enclosed>, true, T>);
      case Family::gaussian: return f(pairwise_backward_kernel<RotatedOf<Family::gaussian>, true, T>);
    }
  }
}

// Adds the slices up and encodes.
template <Real T> __global__ void __launch_bounds__(kThreads) finish_boxes_kernel(const __grid_constant__ PairwiseBackwardArgs a) {
  const int64_t rows = a.batch * a.own.count, step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < rows; i += step) finish_box<T>(a, i);
}

}  // namespace fastiou
