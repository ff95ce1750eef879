// Boxes in the order in which suppression looks at them, decoded, and how two of them overlap.
#pragma once
#include "box_set_cuda.cuh"
#include "exceeds.h"

namespace fastiou {

constexpr int kNmsThreads = 256;   // of a block that takes a box, or a warp's task, per thread
constexpr int kPairThreads = 128;  // of a block that compares boxes with better ones: these pass by in tiles of a word,
constexpr int kSlice = 256;        // up to so many of them
constexpr int kOneBlock = 512;     // threads of a kernel that is a single block
constexpr int kWord = 64;          // boxes of a tile, a bit each

// What is known of a box. kIsPlain: kernels/pair.h. kIsThere: its score is not NaN. kIsUsual: it is plain, its area is
// usual (kernels/exceeds.h) and its class fits in 32 bits, as fast loops expect it.
enum : uint8_t { kIsPlain = 1, kIsThere = 2, kIsUsual = 4 };

template <Real T> __device__ __forceinline__ bool has_usual_area(const RotatedBox<T>&) { return true; }

// B is Box, which kinds prepare in different ways, or PosedBox.
template <class B> struct RankedBoxes {
  int64_t count = 0;
  const int64_t* order = nullptr;  // index of each box in the input; absent if that is its rank
  B* boxes = nullptr;
  int64_t* classes = nullptr;      // absent if all boxes belong together
  uint8_t* flags = nullptr;

  __device__ int64_t index(int64_t rank) const { return order == nullptr ? rank : order[rank]; }
  __device__ int64_t class_of(int64_t rank) const { return classes == nullptr ? 0 : classes[rank]; }
};

// Four numbers in device memory move at once.
template <Real T> __device__ __forceinline__ void store_whole(Box<T>* to, const Box<T>& b) {
  *reinterpret_cast<Packed<T, 4>*>(to) = {b.x1, b.y1, b.x2, b.y2};
}
template <Real T> __device__ __forceinline__ Box<T> load_whole(const Box<T>* from) {
  const auto v = *reinterpret_cast<const Packed<T, 4>*>(from);
  return {v.x[0], v.x[1], v.x[2], v.x[3]};
}
template <Real T> __device__ __forceinline__ void store_whole(PosedBox<T>* to, const PosedBox<T>& b) { *to = b; }

// Score i of a result, float or double. It is double only if T is.
template <Real T> __device__ __forceinline__ void store_score(void* to, DType dtype, int64_t i, T score) {
  if (sizeof(T) == sizeof(double) && dtype == DType::f64) static_cast<double*>(to)[i] = static_cast<double>(score);
  else static_cast<float*>(to)[i] = static_cast<float>(score);
}

// A thread per box: reads its numbers, its score and its class where they lie, and writes them by rank.
template <class B>
__global__ void __launch_bounds__(kNmsThreads)
    rank_kernel(const __grid_constant__ Detections in, const RankedBoxes<B> r) {
  const int64_t rank = static_cast<int64_t>(blockIdx.x) * kNmsThreads + threadIdx.x;
  if (rank >= r.count) return;
  const int64_t i = r.index(rank), own = r.classes == nullptr ? 0 : in.class_of(i);
  B box;
  load(box, in.boxes, 0, i);
  const bool plain = is_plain(box), usual = plain && has_usual_area(box) && own == static_cast<int32_t>(own);
  store_whole(r.boxes + rank, box);
  r.flags[rank] = (plain ? kIsPlain : 0) | (in.has_score(i) ? kIsThere : 0) | (usual ? kIsUsual : 0);
  if (r.classes != nullptr) r.classes[rank] = own;
}

// A box as loops over pairs have it at hand.
template <class Kind, Real T> struct RankedBox {
  Ready<Kind, T> box;
  int64_t class_id;
  uint8_t flags;

  __device__ __forceinline__ bool is_there() const { return flags & kIsThere; }
  // Whether loops for usual boxes may take it: it is one, or what they make of it does not matter.
  __device__ __forceinline__ bool suits() const { return (flags & kIsUsual) || !is_there(); }
  // Whether it and another one may meet.
  __device__ __forceinline__ bool meets(const RankedBox& b) const { return b.is_there() && b.class_id == class_id; }
};

template <class Kind, Real T> __device__ __forceinline__ auto ready_at(const Box<T>* from) {
  return prepared<Kind>(load_whole(from));
}
template <class Kind, Real T> __device__ __forceinline__ auto ready_at(const PosedBox<T>* from) { return *from; }

// Returns box `rank`; one that is not there where there is no such rank.
template <class Kind, Real T, class B>
__device__ __forceinline__ RankedBox<Kind, T> load_ranked(const RankedBoxes<B>& r, int64_t rank) {
  if (rank >= r.count) return {};
  return {ready_at<Kind>(r.boxes + rank), r.class_of(rank), r.flags[rank]};
}

// The first n of 64 bits.
__device__ __forceinline__ uint64_t first_bits(int64_t n) {
  return n >= kWord ? ~uint64_t(0) : n > 0 ? (uint64_t(1) << n) - 1 : 0;
}

// IoU minus a power of the distance: the one overlap that is not a kind.
struct PoweredDIoU {};

// Blocks of kPairThreads that a multiprocessor is to have registers for; powers take a few more than others.
template <class Kind, Real T>
constexpr int kPairBlocks =
    std::is_same_v<Kind, PoweredDIoU> && std::is_same_v<T, float> ? 7 : 2 * kBlocksAtOnce<Kind, T>;

// How much two boxes overlap, of which `p` would be kept.
template <class Kind, Real T> struct PairOverlap {
  T beta;

  PairOverlap(const OverlapKind& o, Format) : beta(static_cast<T>(o.beta)) {}

  __device__ __forceinline__ T plain(const Ready<Kind, T>& p, const Ready<Kind, T>& g) const {
    return of([&]<class K>() { return plain_score<K>(p, g, Eps<T>{0, 0, 0}); });
  }
  __device__ __forceinline__ T operator()(const RankedBox<Kind, T>& p, const RankedBox<Kind, T>& g) const {
    if (p.flags & g.flags & kIsPlain) return plain(p.box, g.box);
    return of([&]<class K>() { return odd_score<K, T>(p.box, g.box, Eps<T>{0, 0, 0}); });
  }
  // Whether a glance tells that the overlap is 0.
  __device__ __forceinline__ bool is_soon_zero(const RankedBox<Kind, T>&, const RankedBox<Kind, T>&) const {
    return false;
  }

 private:
  template <class Score> __device__ __forceinline__ T of(const Score& score) const {
    if constexpr (std::is_same_v<Kind, PoweredDIoU>)
      return score.template operator()<IoU>() - pow(score.template operator()<CentreDistance>(), beta);
    else
      return score.template operator()<Kind>();
  }
};

template <Real T> struct PairOverlap<Rotated, T> {
  RotatedParams<T> params;

  PairOverlap(const OverlapKind& o, Format format) : params(given<Rotated, T>(o.kind, format)) {}
  __device__ __forceinline__ T operator()(const RankedBox<Rotated, T>& p, const RankedBox<Rotated, T>& g) const {
    return plain_score<Rotated>(p.box, g.box, params);
  }
  __device__ __forceinline__ bool is_soon_zero(const RankedBox<Rotated, T>& p, const RankedBox<Rotated, T>& g) const {
    return params.zero_if_disjoint && out_of_reach(p.box, g.box);
  }
};

// Calls f(c) for the boxes c of a tile that are `asked` for and that a box meets; where zero does not matter, without
// those that soon tell they overlap by 0. Lanes are at different boxes at a time, so that a warp does not wait for all
// boxes that one of its lanes meets.
template <class Kind, Real T, class F>
__device__ __forceinline__ void for_partners(const RankedBox<Kind, T> (&tile)[kWord], const RankedBox<Kind, T>& own,
                                             const PairOverlap<Kind, T>& overlap, bool zero_matters, uint64_t asked,
                                             const F& f) {
  uint64_t left = 0;
#pragma unroll 4
  for (int c = 0; c < kWord; ++c) {
    const bool partner = own.meets(tile[c]) && (zero_matters || !overlap.is_soon_zero(tile[c], own));
    left |= static_cast<uint64_t>(partner) << c;
  }
  for (left &= asked; left != 0; left &= left - 1) f(__ffsll(static_cast<long long>(left)) - 1);
}

// How boxes of a kind are kept by rank.
template <class Kind, Real T> using KeptBox = std::conditional_t<kIsRotated<Kind>, PosedBox<T>, Box<T>>;

// Calls f.template operator()<Kind>() for a kind of boxes that are kept as B; false if there is no such kind.
template <class B, class F> bool dispatch_overlap(const OverlapKind& o, F&& f) {
  if constexpr (kIsPosed<B>) {
    return dispatch_rotated_set(o.kind, f);
  } else {
    if (!o.powers()) return dispatch_score(o.kind, f);
    f.template operator()<PoweredDIoU>();
    return true;
  }
}

}  // namespace fastiou
