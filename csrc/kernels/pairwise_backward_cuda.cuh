// The gradient of pairwise scores on CUDA, recomputed: a thread holds one own box and adds up over the others, which
// pass by in shared memory with their part of the incoming gradient. No atomics: slices of the others are added by a
// second kernel, in order.
#pragma once
#include "pairwise_cuda.cuh"

namespace fastiou {

constexpr int kOwnBoxes = 128;   // per block, one per thread
constexpr int kOtherBoxes = 32;  // in shared memory at a time; sums of so many terms go to double

// How a linear block index falls apart into slice of others, batch, tile of own boxes.
struct PairwiseBackwardGrid {
  int64_t slice, blocks;
  unsigned tiles;
  explicit PairwiseBackwardGrid(const PairwiseBackwardArgs& a)
      : slice(tiles_of(a.other.count, a.slices)),
        blocks(a.slices * a.batch * tiles_of(a.own.count, kOwnBoxes)),
        tiles(static_cast<unsigned>(tiles_of(a.own.count, kOwnBoxes))) {}
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
__device__ __attribute__((noinline)) RotatedGradient<T> gaussian_gradient(const RotatedParams<T>& o,
                                                                          const RotatedBox<T> p, const RotatedBox<T> g,
                                                                          const Direction<T> at) {
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

  // A pair of plain boxes with the incoming gradient g: adds the partial derivatives by the corners of `own`.
  template <class Kind, bool kOwnFirst, class B>
  __device__ __forceinline__ void add_plain(const Box<T>& own, const B& other, const Eps<T>& eps, T g) {
    largest_grad = max(abs(g), largest_grad);
    Box<T> d;
    if constexpr (kOwnFirst) d = gradient<0>(ScoreOf<Kind>::of(Pair{variables<4, 0>(own), other, eps}), g);
    else d = evaluate<ScoreOf<Kind>, Grad::both>(other, own, eps, g).target;
    terms[0] += d.x1, terms[1] += d.y1, terms[2] += d.x2, terms[3] += d.y2;
  }

  template <class Kind, bool kOwnFirst, class B>
  __device__ __forceinline__ void add(const Box<T>& own, const B& other, const Eps<T>& eps, T g, bool, bool plain,
                                      bool careful, T largest) {
    if (plain && !careful) return add_plain<Kind, kOwnFirst>(own, other, eps, g);
    largest_grad = max(abs(g), largest_grad);
    if (g != 0) add_settled(sum, odd_gradient<Kind, kOwnFirst>(own, other, eps, largest), g);
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

// The others as pairs are made of: with their area, or posed. The own box is made of variables, which are not prepared.
template <class Kind, Real T> using OtherBox = std::conditional_t<kIsRotated<Kind>, PosedBox<T>, AreaBox<T>>;
template <class Kind, Real T> using OwnBox = std::conditional_t<kIsRotated<Kind>, PosedBox<T>, Box<T>>;
template <Real T> __device__ __forceinline__ void meet(Box<T>& to, const Box<T>& b, const Eps<T>&) { to = b; }
template <Real T> __device__ __forceinline__ void meet(AreaBox<T>& to, const Box<T>& b, const Eps<T>&) {
  to = {b, b.area()};
}
template <Real T>
__device__ __forceinline__ void meet(PosedBox<T>& to, const RotatedBox<T>& b, const RotatedParams<T>& o) {
  to = posed(b, o.unit);
}

// Some others with the incoming gradients of their pairs, in shared memory.
template <class Kind, Real T> struct OtherTile {
  OtherBox<Kind, T> box[kOtherBoxes];
  bool plain[kOtherBoxes];
  unsigned there;                          // a bit for each other
  T incoming[kOwnBoxes][kOtherBoxes + 1];  // one more, so that a column does not fall into one bank

  // Reads the boxes, as far as they are there; returns whether the one of this thread is odd.
  __device__ __forceinline__ bool load_boxes(const BoxSet& set, int64_t batch, int64_t begin, int64_t end,
                                             const Given<Kind, T>& given) {
    const int i = threadIdx.x;
    if (i >= kOtherBoxes) return false;
    const bool has = begin + i < end && set.has(batch, begin + i);
    const unsigned all = __ballot_sync(0xffffffffu, has);
    if (i == 0) there = all;
    if (!has) return false;
    const auto b = load_box<Loaded<Kind, T>>(set, batch, begin + i);
    meet(box[i], b, given);
    plain[i] = is_plain(b);
    return !plain[i];
  }

  // Reads the gradients of those boxes and kOwnBoxes own ones from `own_begin` on, neighbours in memory by neighbouring
  // threads: along the own boxes, or along the others. Returns whether one that this thread has read is not finite.
  template <bool kAlongOwn>
  __device__ __forceinline__ bool load_gradients(const PairwiseBackwardArgs& a, int64_t batch, int64_t own_begin,
                                                 int64_t begin, int64_t end) {
    constexpr int kOwnStep = kAlongOwn ? 0 : kOwnBoxes / kOtherBoxes, kOtherStep = kAlongOwn ? 1 : 0, kAtOnce = 8;
    const int own = kAlongOwn ? threadIdx.x : threadIdx.x / kOtherBoxes,
              other = kAlongOwn ? 0 : threadIdx.x % kOtherBoxes;
    const int owns = a.own.count - own_begin < kOwnBoxes ? static_cast<int>(a.own.count - own_begin) : kOwnBoxes;
    const int others = end - begin < kOtherBoxes ? static_cast<int>(end - begin) : kOtherBoxes;
    const int count = own >= owns || other >= others ? 0 : kAlongOwn ? others : (owns - own + kOwnStep - 1) / kOwnStep;
    const T* from = static_cast<const T*>(a.grad) + batch * a.grad_batch_stride +
                    (own_begin + own) * a.grad_own_stride + (begin + other) * a.grad_other_stride;
    const int64_t step = kAlongOwn ? a.grad_other_stride : kOwnStep * a.grad_own_stride;
    T not_finite = 0;
#pragma unroll 1
    for (int i = 0; i < kOtherBoxes; i += kAtOnce) {
      T g[kAtOnce];  // all on their way at once
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j, from += step) g[j] = i + j < count ? *from : T(0);
#pragma unroll
      for (int j = 0; j < kAtOnce; ++j) {
        incoming[own + (i + j) * kOwnStep][other + (i + j) * kOtherStep] = g[j];
        not_finite += T(0) * g[j];  // NaN if it is not
      }
    }
    return not_finite != 0;
  }
  __device__ __forceinline__ bool load_gradients(const PairwiseBackwardArgs& a, int64_t batch, int64_t own_begin,
                                                 int64_t begin, int64_t end) {
    return a.grad_own_stride <= a.grad_other_stride ? load_gradients<true>(a, batch, own_begin, begin, end)
                                                    : load_gradients<false>(a, batch, own_begin, begin, end);
  }
};

template <class Kind, bool kOwnFirst, Real T>
__global__ void __launch_bounds__(kOwnBoxes)
    pairwise_backward_kernel(const __grid_constant__ PairwiseBackwardArgs a, const PairwiseBackwardGrid grid,
                             const __grid_constant__ Given<Kind, T> given) {
  constexpr int kWidth = kIsRotated<Kind> ? 5 : 4;
  __shared__ OtherTile<Kind, T> tile;
  const unsigned own_tile = blockIdx.x % grid.tiles, batch_part = blockIdx.x / grid.tiles;
  const int64_t begin = static_cast<int64_t>(own_tile) * kOwnBoxes;
  const int64_t batch = batch_part % static_cast<unsigned>(a.batch), part = batch_part / static_cast<unsigned>(a.batch);
  const int64_t end = a.other.count < (part + 1) * grid.slice ? a.other.count : (part + 1) * grid.slice;
  const unsigned mine = threadIdx.x;
  const bool there = begin + mine < a.own.count;
  const bool has = there && a.own.has(batch, begin + mine);
  Loaded<Kind, T> box{};
  if (has) load(box, a.own, batch, begin + mine);
  OwnBox<Kind, T> own;
  meet(own, box, given);
  const bool plain = is_plain(box);
  const T largest = largest_of<T>(a.own.dtype);

  GradientSums<kWidth, T> sums;
  bool careful = !plain;
  for (int pass = 0; pass < 2; ++pass) {
    const bool all_quick = !kIsRotated<Kind> && !__any_sync(0xffffffffu, careful);
    FASTIOU_UNROLL
    for (int k = 0; k < kWidth; ++k) sums.sum[k] = 0;
    for (int64_t at = part * grid.slice; at < end; at += kOtherBoxes) {
      __syncthreads();
      const bool odd = tile.load_boxes(a.other, batch, at, end, given);
      const bool not_finite = tile.load_gradients(a, batch, begin, at, end);
      const bool any_special = __syncthreads_or(odd || not_finite);
      FASTIOU_UNROLL
      for (int k = 0; k < kWidth; ++k) sums.terms[k] = 0;
      const unsigned others = tile.there;
      if (!all_quick || any_special) {
#pragma unroll 1
        for (int k = 0; k < kOtherBoxes; ++k)
          if (has && (others >> k & 1))
            sums.template add<Kind, kOwnFirst>(own, tile.box[k], given, tile.incoming[mine][k], a.own_first,
                                               tile.plain[k], careful, largest);
      } else if constexpr (!kIsRotated<Kind>) {
#pragma unroll 4
        for (int k = 0; k < kOtherBoxes; ++k) {
          if (!(others >> k & 1)) continue;  // the same for all
          const OtherBox<Kind, T> other = tile.box[k];
          // Boxes apart from each other have no gradient, where no score is less than 0.
          if (kZeroIfDisjoint<Kind> && !__any_sync(0xffffffffu, Pair{own, other, given}.intersection() > 0)) continue;
          sums.template add_plain<Kind, kOwnFirst>(own, other, given, tile.incoming[mine][k]);
        }
      }
      FASTIOU_UNROLL
      for (int k = 0; k < kWidth; ++k) sums.sum[k] += sums.terms[k];
    }
    // Again, with care, where sums are beyond the boxes' dtype or of no value at all. All threads load for each other.
    careful = has && (careful || !is_trusted(sums.sum, a.own.dtype, sums.largest_grad));
    if (pass == 1 || !__syncthreads_or(careful && plain)) break;
  }
  if (!there) return;
  double* const to = a.partial + ((part * a.batch + batch) * a.own.count + begin + mine) * kPartials;
  FASTIOU_UNROLL
  for (int k = 0; k < kWidth; ++k) to[k] = has ? sums.sum[k] : 0;
  to[kLargestGrad] = has ? sums.largest_grad : 1;
}

// Calls f(kernel) for a kind.
template <class Kind, Real T, class F> void with_backward_kernel(bool own_first, const Given<Kind, T>& given, F&& f) {
  if constexpr (!kIsRotated<Kind>) {
    if constexpr (kHasSides<Kind>) {
      if (!own_first) return f(pairwise_backward_kernel<Kind, false, T>);
    }
    f(pairwise_backward_kernel<Kind, true, T>);  // where it does not matter, the own box is the first one
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
template <Real T>
__global__ void __launch_bounds__(kThreads) finish_boxes_kernel(const __grid_constant__ PairwiseBackwardArgs a) {
  const int64_t rows = a.batch * a.own.count, step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < rows; i += step) finish_box<T>(a, i);
}

}  // namespace fastiou
