// Matching on CUDA. Threads hold boxes, gts pass by in shared memory. A gt's best box is the largest of 64-bit keys that
// order by score first and then by the lower index; integer maxima do not care who comes first, so the answer is the
// same in every run. A double leaves no room for an index in 64 bits: a second pass finds the index by the score.
#pragma once
#include "max_iou.h"
#include "pairwise_cuda.cuh"

namespace fastiou {

using Key = unsigned long long;
constexpr int kGts = 128;  // in shared memory at a time

// What a pass offers a gt as keys: score and index together, scores, or the indices that have the best score.
enum class Offer : int { both, score, index };

// Keys start at 0, which no score has.
struct MaxIoUScratch {
  Key* keys;     // (batch, gts)
  Key* indices;  // (batch, gts), for doubles alone
  Key* first;    // (batch), the key of the first box that is there
};

constexpr Key kNoIndex = 0xffffffffu;
FASTIOU_HD Key index_key(int64_t i) { return kNoIndex - static_cast<Key>(i); }
FASTIOU_HD int64_t index_of(Key key) { return static_cast<int64_t>(kNoIndex - (key & kNoIndex)); }

// Integers in the order of the numbers.
template <Real T> FASTIOU_HD Key ordered(T x) {
  using Int = typename Bits<T>::Int;
  using Unsigned = std::make_unsigned_t<Int>;
  constexpr Int sign = Int(1) << (sizeof(Int) * 8 - 1);
  const Int bits = __builtin_bit_cast(Int, x + T(0));  // -0 is 0
  return static_cast<Unsigned>(bits < 0 ? ~bits : Int(bits ^ sign));
}
template <Real T> FASTIOU_HD T number_of(Key key) {
  using Int = typename Bits<T>::Int;
  constexpr Int sign = Int(1) << (sizeof(Int) * 8 - 1);
  const Int bits = static_cast<Int>(key);
  return __builtin_bit_cast(T, bits & sign ? Int(bits ^ sign) : Int(~bits));
}

template <Real T, Offer offer> FASTIOU_HD Key key_of(T score, int64_t i) {
  if constexpr (offer == Offer::both) return ordered(score) << 32 | index_key(i);
  else if constexpr (offer == Offer::score) return ordered(score);
  else return index_key(i);
}

__device__ __forceinline__ Key peek(const Key* p) { return *static_cast<const volatile Key*>(p); }

__device__ __forceinline__ Key warp_max(Key x) {
  for (int mask = 16; mask > 0; mask /= 2) {
    const Key other = __shfl_xor_sync(0xffffffffu, x, mask);
    x = other > x ? other : x;
  }
  return x;
}
template <Real T> __device__ __forceinline__ T warp_min(T x) {
  for (int mask = 16; mask > 0; mask /= 2) x = min(__shfl_xor_sync(0xffffffffu, x, mask), x);
  return x;
}

// What lies around a box.
template <Real T> __device__ __forceinline__ Box<T> surroundings(const Box<T>& b) {
  return {min(b.x1, b.x2), min(b.y1, b.y2), max(b.x1, b.x2), max(b.y1, b.y2)};
}
template <Real T> __device__ __forceinline__ Box<T> surroundings(const PosedBox<T>& b) {
  return {b.x - b.reach.x, b.y - b.reach.y, b.x + b.reach.x, b.y + b.reach.y};
}
// With what lies around boxes; rounded sums tell apart what is apart.
template <Real T> __device__ __forceinline__ bool disjoint(const Box<T>& hull, const PosedBox<T>& b) {
  const Box<T> around = surroundings(b);
  return (hull.x2 < around.x1) | (around.x2 < hull.x1) | (hull.y2 < around.y1) | (around.y2 < hull.y1);
}

// Gts in shared memory.
template <class Kind, Real T> struct GtTile {
  Ready<Kind, T> box[kGts];
  unsigned char presence[kGts];
  T value[kGts];  // the best score, where a pass is told
};
template <class Kind, Real T>
__device__ __forceinline__ void load_gts(const BoxSet& set, int64_t batch, int64_t begin, const Given<Kind, T>& given,
                                         GtTile<Kind, T>& t) {
  for (int64_t i = threadIdx.x; i < kGts && begin + i < set.count; i += kThreads) {
    const auto b = load_box<Loaded<Kind, T>>(set, batch, begin + i);
    t.box[i] = ready<Kind>(b, given);
    t.presence[i] = static_cast<unsigned char>(presence(set, batch, begin + i, b));
  }
}

// The boxes of a thread, kThreads apart, and what lies around those of its warp.
template <class Kind, Real T, int kBoxes> struct OwnBoxes {
  Ready<Kind, T> box[kBoxes];
  Box<T> hull;
  bool has[kBoxes], plain[kBoxes];

  __device__ __forceinline__ void load(const BoxSet& set, int64_t batch, int64_t begin, const Given<Kind, T>& given) {
    constexpr T inf = kLargest<T>;
    hull = {inf, inf, -inf, -inf};
#pragma unroll
    for (int c = 0; c < kBoxes; ++c) {
      const int64_t i = begin + c * kThreads + threadIdx.x;
      has[c] = plain[c] = false;
      box[c] = {};
      if (i >= set.count) continue;
      const auto b = load_box<Loaded<Kind, T>>(set, batch, i);
      const Presence p = presence(set, batch, i, b);
      if (p == Presence::absent) continue;
      has[c] = true;
      box[c] = ready<Kind>(b, given);
      plain[c] = p == Presence::plain;
      const Box<T> around = surroundings(box[c]);
      hull = {min(around.x1, hull.x1), min(around.y1, hull.y1), max(around.x2, hull.x2), max(around.y2, hull.y2)};
    }
    hull = {warp_min(hull.x1), warp_min(hull.y1), -warp_min(-hull.x2), -warp_min(-hull.y2)};
  }
};

template <class Kind, Real T, int kBoxes, Offer offer>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce<Kind, T>)
    max_iou_kernel(const __grid_constant__ MaxIoUArgs a, const MaxIoUScratch scratch, const int64_t tiles,
                   const __grid_constant__ Given<Kind, T> given) {
  __shared__ GtTile<Kind, T> gts;
  __shared__ Key best_key[kGts];
  const int64_t block = blockIdx.x;
  const int64_t batch = block / tiles, begin = block % tiles * (kBoxes * kThreads);
  const bool sparse = zero_if_disjoint<Kind>(given);
  const T least = sparse ? T(0) : -kLargest<T>;
  OwnBoxes<Kind, T, kBoxes> own;
  own.load(a.boxes, batch, begin, given);
  Key first = 0;
  T best[kBoxes];
  int64_t index[kBoxes];
#pragma unroll
  for (int c = 0; c < kBoxes; ++c) {
    best[c] = least, index[c] = -1;
    const Key key = own.has[c] ? index_key(begin + c * kThreads + threadIdx.x) : 0;
    first = key > first ? key : first;
  }
  first = warp_max(first);
  if (threadIdx.x % 32 == 0 && first > peek(scratch.first + batch)) atomicMax(scratch.first + batch, first);

  const auto& params = params_of<T>(a.eps, given);
  Key* const keys = (offer == Offer::index ? scratch.indices : scratch.keys) + batch * a.gts.count;
  for (int64_t at = 0; at < a.gts.count; at += kGts) {
    __syncthreads();
    load_gts<Kind, T>(a.gts, batch, at, given, gts);
    const int count = a.gts.count - at < kGts ? static_cast<int>(a.gts.count - at) : kGts;
    for (int k = threadIdx.x; k < count; k += kThreads) {
      best_key[k] = peek(keys + at + k);
      if constexpr (offer == Offer::index) gts.value[k] = number_of<T>(scratch.keys[batch * a.gts.count + at + k]);
    }
    __syncthreads();
    for (int k = 0; k < count; ++k) {
      const Presence presence = static_cast<Presence>(gts.presence[k]);
      if (presence == Presence::absent) continue;
      const Ready<Kind, T> gt = gts.box[k];
      const bool plain = presence == Presence::plain;
      if (sparse) {  // the same for the whole warp
#pragma unroll
        for (int c = 0; c < kBoxes; ++c)
          if (own.has[c] && index[c] < 0) index[c] = at + k;
        if (presence == Presence::plain && disjoint<T>(own.hull, gt)) continue;
      }
      Key offered = 0;
#pragma unroll
      for (int c = 0; c < kBoxes; ++c) {
        if (!own.has[c]) continue;
        const T s = score_of<Kind>(own.box[c], gt, params, plain && own.plain[c]);
        if (s > best[c] || index[c] < 0) best[c] = s, index[c] = at + k;
        const bool wanted = offer == Offer::index ? s == gts.value[k] : s > least || !sparse;
        const Key key = wanted ? key_of<T, offer>(s, begin + c * kThreads + threadIdx.x) : 0;
        offered = key > offered ? key : offered;
      }
      if (!__any_sync(0xffffffffu, offered > peek(best_key + k))) continue;  // rare once a good box has been seen
      offered = warp_max(offered);
      if (threadIdx.x % 32 == 0) atomicMax(best_key + k, offered);
    }
    __syncthreads();
    for (int k = threadIdx.x; k < count; k += kThreads)
      if (best_key[k] > peek(keys + at + k)) atomicMax(keys + at + k, best_key[k]);
  }
  if constexpr (offer != Offer::index) {
#pragma unroll
    for (int c = 0; c < kBoxes; ++c) {
      const int64_t i = begin + c * kThreads + threadIdx.x;
      if (i >= a.boxes.count) continue;
      static_cast<T*>(a.values)[batch * a.boxes.count + i] = index[c] < 0 ? T(0) : best[c];
      a.indices[batch * a.boxes.count + i] = index[c];
    }
  }
}

// Keys -> the best box of every gt.
template <class B, Real T>
__global__ void __launch_bounds__(kThreads)
    read_keys_kernel(const __grid_constant__ MaxIoUArgs a, const MaxIoUScratch scratch) {
  const int64_t count = a.batch * a.gts.count, step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count; i += step) {
    const int64_t batch = i / a.gts.count;
    const B gt = load_box<B>(a.gts, batch, i % a.gts.count);
    const bool there = presence(a.gts, batch, i % a.gts.count, gt) != Presence::absent;
    const Key key = scratch.keys[i], first = scratch.first[batch];
    T value = 0;
    int64_t index = -1;
    const Key which = sizeof(T) == 4 ? key : scratch.indices[i];
    if (there && which != 0) {
      value = number_of<T>(sizeof(T) == 4 ? key >> 32 : key);
      index = index_of(which);
    } else if (there && first != 0) {  // no box has a point in common with it: all tie at 0
      index = index_of(first);
    }
    static_cast<T*>(a.gt_values)[i] = value;
    a.gt_indices[i] = index;
  }
}

template <class Kind, Real T, int kBoxes>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce<Kind, T>) tied_gts_kernel(const __grid_constant__ TiedGtsArgs a, const int64_t tiles, const __grid_constant__ Given<Kind, T> given) {
  __shared__ GtTile<Kind, T> gts;
  const int64_t block = blockIdx.x;
  const int64_t batch = block / tiles, begin = block % tiles * (kBoxes * kThreads);
  OwnBoxes<Kind, T, kBoxes> own;
  own.load(a.boxes, batch, begin, given);
  int64_t index[kBoxes];
  for (int c = 0; c < kBoxes; ++c) index[c] = -1;
  const auto& params = params_of<T>(a.eps, given);
  for (int64_t at = 0; at < a.gts.count; at += kGts) {
    __syncthreads();
    load_gts<Kind, T>(a.gts, batch, at, given, gts);
    const int count = a.gts.count - at < kGts ? static_cast<int>(a.gts.count - at) : kGts;
    for (int k = threadIdx.x; k < count; k += kThreads)
      gts.value[k] = static_cast<const T*>(a.gt_values)[batch * a.gts.count + at + k];
    __syncthreads();
    for (int k = 0; k < count; ++k) {
      const Presence presence = static_cast<Presence>(gts.presence[k]);
      const T value = gts.value[k];
      if (presence == Presence::absent || !(value >= a.least)) continue;
      const Ready<Kind, T> gt = gts.box[k];
      if (zero_if_disjoint<Kind>(given) && value > 0 && presence == Presence::plain && disjoint<T>(own.hull, gt)) continue;
#pragma unroll
      for (int c = 0; c < kBoxes; ++c)
        if (own.has[c] && score_of<Kind>(own.box[c], gt, params, presence == Presence::plain && own.plain[c]) == value)
          index[c] = at + k;
    }
  }
#pragma unroll
  for (int c = 0; c < kBoxes; ++c) {
    const int64_t i = begin + c * kThreads + threadIdx.x;
    if (i < a.boxes.count) a.indices[batch * a.boxes.count + i] = index[c];
  }
}

}  // namespace fastiou
