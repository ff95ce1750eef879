// Sets of boxes in the form in which kernels of matching want them, made by a kernel of its own: decoded, of one type, every
// 1024 of them in an order of neighbours where that pays, and with what lies around every 32.
//
// Reads the boxes once and writes 18 bytes for each (float, corners).
#pragma once
#include "box_set_cuda.cuh"
#include "neighbours_cuda.cuh"

namespace fastiou {

template <Real T> constexpr T kNaN = std::numeric_limits<T>::quiet_NaN();

// A box as it is kept: corners as one vector, or five numbers. All NaN if it is absent.
template <Real T> struct alignas(16) Corners : Box<T> {};
template <class B> struct KeptOf { using type = B; };
template <Real T> struct KeptOf<Box<T>> { using type = Corners<T>; };
template <class B> using Kept = typename KeptOf<B>::type;
template <Real T> __device__ __forceinline__ void set_absent(Box<T>& b) { b = {kNaN<T>, kNaN<T>, kNaN<T>, kNaN<T>}; }
template <Real T> __device__ __forceinline__ void set_absent(RotatedBox<T>& b) {
  b = {kNaN<T>, kNaN<T>, kNaN<T>, kNaN<T>, kNaN<T>};
}
template <Real T> __device__ __forceinline__ Presence presence(const Box<T>& kept) {
  return kept.x1 != kept.x1 ? Presence::absent : is_plain(kept) ? Presence::plain : Presence::odd;
}
template <Real T> __device__ __forceinline__ Presence presence(const RotatedBox<T>& kept) {
  return kept.x != kept.x ? Presence::absent : Presence::plain;
}

// What lies around a box.
template <Real T> __device__ __forceinline__ Box<T> surroundings(const Box<T>& b, Format) {
  return {min(b.x1, b.x2), min(b.y1, b.y2), max(b.x1, b.x2), max(b.y1, b.y2)};
}
template <Real T> __device__ __forceinline__ Box<T> surroundings(const RotatedBox<T>& b, const Reach<T>& reach) {
  return {b.x - reach.x, b.y - reach.y, b.x + reach.x, b.y + reach.y};
}
template <Real T> __device__ __forceinline__ Box<T> surroundings(const RotatedBox<T>& b, Format format) {
  return surroundings(b, reach_of(b, angle_unit<T>(in_degrees(format))));
}

constexpr int kArranged = 1024;  // boxes of a block

// (batch, size), with absent boxes at the end.
template <class B, Real T> struct ArrangedSet {
  Kept<B>* boxes = nullptr;
  int64_t size = 0;           // a multiple of kArranged, 0 with no boxes
  uint16_t* order = nullptr;  // where of its kArranged a box was, if they are put in order
  Corners<T>* hulls = nullptr;  // (batch, size / 32), around the plain boxes, if that is asked for

  // Returns where in the set the i-th box is.
  __device__ __forceinline__ unsigned place(int64_t batch, unsigned i) const {
    return order == nullptr ? i : i / kArranged * kArranged + order[batch * size + i];
  }
};

// kArranged boxes of a set, in shared memory.
template <class B, Real T> struct Arrangement {
  static constexpr int kOwn = kArranged / kThreads;
  Neighbours<T, kOwn> neighbours;
  Kept<B> boxes[kArranged];
  uint16_t order[kArranged];

  __device__ void operator()(const BoxSet& set, int64_t batch, int64_t tile, const ArrangedSet<B, T>& to) {
#pragma unroll 1
    for (int at = threadIdx.x; at < kArranged; at += kThreads) {
      const int64_t i = tile * kArranged + at;
      B b;
      if (i < set.count) load(b, set, batch, i);
      if (i >= set.count || presence(set, batch, i, b) == Presence::absent) set_absent(b);
      static_cast<B&>(boxes[at]) = b;
      order[at] = static_cast<uint16_t>(at);
    }
    if (to.order != nullptr) sort(set.format);
    __syncthreads();
    const int64_t first = batch * to.size + tile * kArranged;
#pragma unroll 1
    for (int at = threadIdx.x; at < kArranged; at += kThreads) {
      const Kept<B> b = boxes[order[at]];
      to.boxes[first + at] = b;
      if (to.order != nullptr) to.order[first + at] = order[at];
      if (to.hulls != nullptr) store_hull(b, set.format, to.hulls + (first + at) / 32);
    }
  }

 private:
  __device__ void sort(Format format) {
    T x[kOwn], y[kOwn];
    bool has[kOwn];
    unsigned slot[kOwn];
#pragma unroll
    for (int c = 0; c < kOwn; ++c) {
      const B& b = boxes[c * kThreads + threadIdx.x];
      const Box<T> around = surroundings(b, format);
      x[c] = T(0.5) * around.x1 + T(0.5) * around.x2, y[c] = T(0.5) * around.y1 + T(0.5) * around.y2;
      has[c] = presence(b) == Presence::plain;
    }
    neighbours.sort(x, y, has, slot);
#pragma unroll
    for (int c = 0; c < kOwn; ++c) order[slot[c]] = static_cast<uint16_t>(c * kThreads + threadIdx.x);
  }

  __device__ static void store_hull(const B& b, Format format, Corners<T>* to) {
    constexpr T far = kLargest<T>;
    const Box<T> around = presence(b) == Presence::plain ? surroundings(b, format) : Box<T>{far, far, -far, -far};
    const Corners<T> hull{{warp_min(around.x1), warp_min(around.y1), warp_max(around.x2), warp_max(around.y2)}};
    if (threadIdx.x % 32 == 0) *to = hull;
  }
};

// Both sets that are matched, as they are and as they will be. Numbers from `zeros` on are put to 0 besides.
template <class B, Real T> struct ArrangeArgs {
  BoxSet set[2];
  ArrangedSet<B, T> arranged[2];
  int64_t batch = 1;
  Key* zeros = nullptr;
  int64_t zero_count = 0;

  FASTIOU_HD int64_t blocks(int side) const { return batch * arranged[side].size / kArranged; }
};

template <class B, Real T>
__global__ void __launch_bounds__(kThreads) arrange_kernel(const __grid_constant__ ArrangeArgs<B, T> a) {
  __shared__ Arrangement<B, T> arrangement;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < a.zero_count; i += step) a.zeros[i] = 0;
  const int side = blockIdx.x < a.blocks(0) ? 0 : 1;
  const unsigned block = blockIdx.x - (side == 0 ? 0 : static_cast<unsigned>(a.blocks(0)));
  const unsigned tiles = static_cast<unsigned>(a.arranged[side].size / kArranged);
  arrangement(a.set[side], block / tiles, block % tiles, a.arranged[side]);
}

}  // namespace fastiou
