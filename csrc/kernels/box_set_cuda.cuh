// Boxes of a set in device memory -> registers, and what kernels over sets ask of kinds.
//
// Kernels are compiled for every kind of upright boxes. For rotated boxes they are compiled once, for `Rotated`, which
// is told at run time what kind is meant.
#pragma once
#include "../math/kinds.h"
#include "box_set.h"
#include "loads_cuda.cuh"
#include "reduce_cuda.cuh"
#include "rotated_cuda.cuh"

namespace fastiou {

constexpr int kWarps = kThreads / 32;
inline int64_t tiles_of(int64_t n, int64_t size) { return (n + size - 1) / size; }

// The numbers of the i-th box of a set, as they are written.
template <int kWidth, Real T>
__device__ __forceinline__ void load_numbers(const BoxSet& s, int64_t batch, int64_t i, T (&x)[kWidth]) {
  dispatch_dtype<Accept::boxes>(s.dtype, [&]<class S>() {
    const S* p = static_cast<const S*>(s.data) + batch * s.batch_stride + i * s.stride;
    if constexpr (kPackable<kWidth>) {
      if (s.packed) {
        const auto v = *reinterpret_cast<const Packed<S, kWidth>*>(p);
#pragma unroll
        for (int k = 0; k < kWidth; ++k) x[k] = static_cast<T>(v.x[k]);
        return;
      }
    }
#pragma unroll
    for (int k = 0; k < kWidth; ++k) x[k] = static_cast<T>(p[k * s.inner]);
  });
}

// The i-th box of a set: its corners, or with a clockwise angle.
template <Real T> __device__ __forceinline__ void load(Box<T>& to, const BoxSet& s, int64_t batch, int64_t i) {
  T x[4];
  load_numbers(s, batch, i, x);
  to = decode<T>(s.format, x[0], x[1], x[2], x[3], T(0), T(0));
}
template <Real T> __device__ __forceinline__ void load(RotatedBox<T>& to, const BoxSet& s, int64_t batch, int64_t i) {
  T x[5];
  load_numbers(s, batch, i, x);
  to = decode(s.format, RotatedBox<T>{x[0], x[1], x[2], x[3], x[4]});
}
template <class B> __device__ __forceinline__ B load_box(const BoxSet& s, int64_t batch, int64_t i) {
  B b;
  load(b, s, batch, i);
  return b;
}

// A rotated box that is to meet many others.
template <Real T> struct PosedBox : RotatedBox<T> {
  Direction<T> at;
  Reach<T> reach;
};
template <Real T> __device__ __forceinline__ PosedBox<T> posed(const RotatedBox<T>& b, const AngleUnit<T>& unit) {
  return {b, direction(b.angle, unit), reach_of(b, unit)};
}
template <Real T> __device__ __forceinline__ void load(PosedBox<T>& to, const BoxSet& s, int64_t batch, int64_t i) {
  RotatedBox<T> b;
  load(b, s, batch, i);
  to = posed(b, angle_unit<T>(in_degrees(s.format)));
}
template <class B> constexpr bool kIsPosed = false;
template <Real T> constexpr bool kIsPosed<PosedBox<T>> = true;

// All kinds of rotated boxes, or those of a family.
template <Family kFamily> struct RotatedOf {};
using Rotated = RotatedOf<Family::any>;
template <class Kind> constexpr Family kFamily = Family::any;
template <Family f> constexpr Family kFamily<RotatedOf<f>> = f;

// What belongs to a kind: boxes as they are loaded, boxes that are prepared to meet others, and what its formula is
// told: eps, or the parameters of rotated boxes. The host makes it, in the kernel's own precision: doubles are slow on
// most GPUs.
template <class Kind, Real T> struct KindTraits {
  using Loaded = Box<T>;
  using Ready = Prepared<Kind, T>;
  using Given = Eps<T>;
  static constexpr bool rotated = false;
};
template <Family kFamily, Real T> struct KindTraits<RotatedOf<kFamily>, T> {
  using Loaded = RotatedBox<T>;
  using Ready = PosedBox<T>;
  using Given = RotatedParams<T>;
  static constexpr bool rotated = true;
};
template <class Kind, Real T> using Loaded = typename KindTraits<Kind, T>::Loaded;
template <class Kind, Real T> using Ready = typename KindTraits<Kind, T>::Ready;
template <class Kind, Real T> using Given = typename KindTraits<Kind, T>::Given;
template <class Kind> constexpr bool kIsRotated = KindTraits<Kind, float>::rotated;

// Whether a score depends on which box is the first one, or its last digit does.
template <class Kind> constexpr bool kHasSides = kIsRotated<Kind> || std::is_same_v<Kind, IoF>;

// Blocks of 256 threads that a multiprocessor is to have registers for in float kernels: 32 warps of upright boxes, and
// as many as rotated boxes spill nothing with. 0 leaves it to the compiler.
template <class Kind, Real T> constexpr int kBlocksAtOnce = sizeof(T) > sizeof(float) ? 0 : kIsRotated<Kind> ? 3 : 4;

// Returns what kernels are told of a kind. Of eps rotated boxes know nothing.
template <class Kind, Real T> Given<Kind, T> given(int64_t code, Format format, const Eps<double>& eps = {0, 0, 0}) {
  if constexpr (kIsRotated<Kind>) return RotatedParams<T>(RotatedOptions{code}, in_degrees(format));
  else return eps_of<T>(eps);
}

// Calls f.operator()<Kind>() for a kind of rotated boxes, or of these boxes; false if there is none.
template <class F> bool dispatch_rotated_set(int64_t kind, F&& f) {
  bool known = false;
  dispatch_rotated(kind, [&]<class, Enclosing>() { known = true; });
  if (known) f.template operator()<Rotated>();
  return known;
}
template <class F> bool dispatch_set(const BoxSet& boxes, int64_t kind, F&& f) {
  return boxes.rotated() ? dispatch_rotated_set(kind, f) : dispatch_score(kind, f);
}

template <class Kind, Real T> __device__ __forceinline__ auto ready(const Box<T>& b, const Eps<T>&) {
  return prepared<Kind>(b);
}
template <class Kind, Real T>
__device__ __forceinline__ PosedBox<T> ready(const RotatedBox<T>& b, const RotatedParams<T>& o) {
  return posed(b, o.unit);
}

// Rotated boxes of all sizes are evaluated in one way.
template <Real T> FASTIOU_HD bool is_plain(const RotatedBox<T>&) { return true; }

template <class Kind, Real T> FASTIOU_HD constexpr bool zero_if_disjoint(const Eps<T>&) {
  return kZeroIfDisjoint<Kind>;
}
template <class Kind, Real T> FASTIOU_HD bool zero_if_disjoint(const RotatedParams<T>& o) { return o.zero_if_disjoint; }

// Whether two boxes are too far apart to have a point in common. NaN is near everything.
template <Real T> FASTIOU_HD bool out_of_reach(const PosedBox<T>& a, const PosedBox<T>& b) {
  return (abs(a.x - b.x) > a.reach.x + b.reach.x) | (abs(a.y - b.y) > a.reach.y + b.reach.y);
}

// The score of two boxes of which one may be odd. Not for the loop: it is long and rare.
template <class Kind, Real T>
__device__ __attribute__((noinline)) T odd_score(const Box<T> p, const Box<T> g, const Eps<T> eps) {
  return any_score<Kind>(p, g, eps);
}

template <class Kind, class B, Real T>
__device__ __forceinline__ T score_of(const B& p, const B& g, const Eps<T>& eps, bool plain) {
  return plain ? plain_score<Kind>(p, g, eps) : odd_score<Kind, T>(p, g, eps);
}
template <class Kind, Real T>
__device__ __forceinline__ T plain_score(const PosedBox<T>& p, const PosedBox<T>& g, const RotatedParams<T>& o) {
  if (o.zero_if_disjoint && out_of_reach(p, g)) return 0;
  return evaluate<Family::any, false, false>(o, p, g, g.at, T(1)).value;
}
template <class Kind, Real T>
__device__ __forceinline__ T score_of(const PosedBox<T>& p, const PosedBox<T>& g, const RotatedParams<T>& o, bool) {
  return plain_score<Kind>(p, g, o);
}

}  // namespace fastiou
