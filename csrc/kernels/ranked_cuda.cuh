// Boxes in the order in which suppression looks at them, decoded, and how two of them overlap.
#pragma once
#include "box_set_cuda.cuh"
#include "nms.h"

namespace fastiou {

constexpr int kNmsThreads = 256;
constexpr int kOneBlock = 512;  // threads of a kernel that is a single block

enum : uint8_t { kIsPlain = 1, kIsThere = 2 };  // a plain box (kernels/pair.h); a score that is not NaN

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

template <class B>
__global__ void __launch_bounds__(kNmsThreads) rank_kernel(const __grid_constant__ Detections in, const RankedBoxes<B> r) {
  const int64_t rank = static_cast<int64_t>(blockIdx.x) * kNmsThreads + threadIdx.x;
  if (rank >= r.count) return;
  const int64_t i = r.index(rank);
  B box;
  load(box, in.boxes, 0, i);
  const double score = in.score(i);
  r.boxes[rank] = box;
  r.flags[rank] = (is_plain(box) ? kIsPlain : 0) | (score == score ? kIsThere : 0);
  if (r.classes != nullptr) r.classes[rank] = in.class_of(i);
}

// What a block keeps at hand of one box per thread, for all its threads to compare with.
template <class B> struct RankedTile {
  B boxes[kNmsThreads];
  int64_t classes[kNmsThreads];
  uint8_t flags[kNmsThreads];

  // Of box `rank`, into place `at`. A box beyond the end is not there.
  __device__ void load(const RankedBoxes<B>& r, int64_t rank, int at) {
    const bool in = rank < r.count;
    if (in) boxes[at] = r.boxes[rank], classes[at] = r.class_of(rank);
    flags[at] = in ? r.flags[rank] : 0;
  }
};

// IoU minus a power of the distance: the one overlap that is not a kind.
struct PoweredDIoU {};

template <class Kind, Real T> struct PairOverlap {
  using Kept = Box<T>;
  T beta;

  PairOverlap(const OverlapKind& o, Format) : beta(static_cast<T>(o.beta)) {}

  // `p` would be kept. Whether both are plain is asked of flags.
  __device__ __forceinline__ T operator()(const Box<T>& p, uint8_t p_flags, const Box<T>& g, uint8_t g_flags) const {
    const bool plain = p_flags & g_flags & kIsPlain;
    if constexpr (std::is_same_v<Kind, PoweredDIoU>)
      return score<IoU>(p, g, plain) - pow(score<CentreDistance>(p, g, plain), beta);
    else
      return score<Kind>(p, g, plain);
  }

 private:
  template <class K> __device__ __forceinline__ static T score(const Box<T>& p, const Box<T>& g, bool plain) {
    const Eps<T> eps{0, 0, 0};
    return plain ? plain_score<K>(p, g, eps) : any_score<K>(p, g, eps);
  }
};

template <Real T> struct PairOverlap<Rotated, T> {
  using Kept = PosedBox<T>;
  RotatedParams<T> params;

  PairOverlap(const OverlapKind& o, Format format) : params(given<Rotated, T>(o.kind, format)) {}
  __device__ __forceinline__ T operator()(const Kept& p, uint8_t, const Kept& g, uint8_t) const {
    return plain_score<Rotated>(p, g, params);
  }
};

template <class Kind, Real T> using KeptBox = typename PairOverlap<Kind, T>::Kept;

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
