// Sets of boxes in the form in which kernels of matching want them, made by a kernel of its own: decoded, of one type,
// every 1024 of them in an order of neighbours where that pays, and with what lies around every 32.
//
// Reads the boxes once and writes 18 bytes for each (float, corners).
#pragma once
#include "box_set_cuda.cuh"
#include "neighbours_cuda.cuh"

namespace fastiou {

template <Real T> constexpr T kNaN = std::numeric_limits<T>::quiet_NaN();

// A box as it is kept: corners as one vector, or five numbers.
template <Real T> struct alignas(16) Corners : Box<T> {};
template <class B> struct KeptOf { using type = B; };
template <Real T> struct KeptOf<Box<T>> { using type = Corners<T>; };
template <class B> using Kept = typename KeptOf<B>::type;

// What is known of 32 boxes in a row: what lies around the plain ones, and a bit for each that is plain or odd.
template <Real T> struct GroupOfBoxes {
  Corners<T> hull;
  unsigned plain, odd;

  FASTIOU_HD unsigned there() const { return plain | odd; }
};

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
  int64_t size = 0;  // a multiple of kArranged, 0 with no boxes
  GroupOfBoxes<T>* groups = nullptr;  // (batch, size / 32)
  uint16_t* order = nullptr;  // where of its kArranged a box was, if they are put in order

  // Returns those of one batch entry.
  FASTIOU_HD ArrangedSet of(int64_t batch) const {
    return {boxes + batch * size, size, groups + batch * size / 32, order == nullptr ? nullptr : order + batch * size};
  }
  // Returns where in the set the i-th box is.
  FASTIOU_HD unsigned place(unsigned i) const { return order == nullptr ? i : i / kArranged * kArranged + order[i]; }
};

// kArranged boxes of a set, in shared memory.
template <class B, Real T> struct Arrangement {
  static constexpr int kOwn = kArranged / kThreads;
  Neighbours<T, kOwn> neighbours;
  Kept<B> boxes[kArranged];
  Presence known[kArranged];
  uint16_t order[kArranged];

  // Arranges those from `begin` on.
  __device__ void operator()(const BoxSet& set, int64_t batch, int64_t begin, const ArrangedSet<B, T>& to) {
#pragma unroll 1
    for (int at = threadIdx.x; at < kArranged; at += kThreads) {
      B b{};
      known[at] = Presence::absent;
      if (begin + at < set.count) {
        load(b, set, batch, begin + at);
        known[at] = presence(set, batch, begin + at, b);
      }
      static_cast<B&>(boxes[at]) = b;
      order[at] = static_cast<uint16_t>(at);
    }
    if (to.order != nullptr) sort(set.format);
    __syncthreads();
#pragma unroll 1
    for (int at = threadIdx.x; at < kArranged; at += kThreads) {
      const int from = order[at];
      to.boxes[begin + at] = boxes[from];
      if (to.order != nullptr) to.order[begin + at] = static_cast<uint16_t>(from);
      const GroupOfBoxes<T> group = group_of(boxes[from], known[from], set.format);
      if (threadIdx.x % 32 == 0) to.groups[(begin + at) / 32] = group;
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
      has[c] = known[c * kThreads + threadIdx.x] == Presence::plain;
    }
    neighbours.sort(x, y, has, slot);
#pragma unroll
    for (int c = 0; c < kOwn; ++c) order[slot[c]] = static_cast<uint16_t>(c * kThreads + threadIdx.x);
  }

  __device__ static GroupOfBoxes<T> group_of(const B& b, Presence p, Format format) {
    constexpr T far = kLargest<T>;
    const Box<T> around = p == Presence::plain ? surroundings(b, format) : Box<T>{far, far, -far, -far};
    const Corners<T> hull{{warp_min(around.x1), warp_min(around.y1), warp_max(around.x2), warp_max(around.y2)}};
    return {hull, __ballot_sync(0xffffffffu, p == Presence::plain), __ballot_sync(0xffffffffu, p == Presence::odd)};
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
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < a.zero_count; i += step)
    a.zeros[i] = 0;
  const int side = blockIdx.x < a.blocks(0) ? 0 : 1;
  const unsigned block = blockIdx.x - (side == 0 ? 0 : static_cast<unsigned>(a.blocks(0)));
  const unsigned tiles = static_cast<unsigned>(a.arranged[side].size / kArranged);
  const int64_t batch = block / tiles;
  arrangement(a.set[side], batch, static_cast<int64_t>(block % tiles) * kArranged, a.arranged[side].of(batch));
}

}  // namespace fastiou
