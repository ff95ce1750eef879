// What the kernels of matching share. A block takes a tile of boxes and a chunk of gts. A warp holds a few groups of 32
// boxes, a box per lane and group, and takes 32 gts at a time: every lane asks whether what lies around a group has a
// point in common with one of them, and only such gts are compared with the group's boxes. Warps do not wait for each
// other.
#pragma once
#include "arrange_cuda.cuh"

namespace fastiou {

// How a linear block index falls apart into batch, tile of boxes, chunk of gts.
struct MatchGrid {
  int64_t blocks = 0;
  unsigned tiles = 1, chunks = 1;
  int chunk = 0;         // gts of a chunk, a multiple of 32
  bool swapped = false;  // whether boxes and gts have changed places, which a score may ask for

  // Chunks are as small as it takes to have `enough` warps. What is found does not depend on them.
  MatchGrid(int64_t batch, int64_t boxes, int64_t gts, int boxes_per_block, int64_t enough) {
    const int64_t of_boxes = tiles_of(boxes, boxes_per_block), words = tiles_of(gts, 32);
    const int64_t wanted =
        std::clamp<int64_t>(enough / std::max<int64_t>(batch * of_boxes * kWarps, 1), 1, std::max<int64_t>(words, 1));
    chunk = static_cast<int>(32 * std::max<int64_t>(tiles_of(words, wanted), 1));
    tiles = static_cast<unsigned>(of_boxes);
    chunks = static_cast<unsigned>(std::max<int64_t>(tiles_of(gts, chunk), 1));
    blocks = batch * of_boxes * chunks;
  }
};

struct MatchBlock {
  int64_t batch;
  unsigned chunk;
  unsigned box;         // the first one
  int begin, end;       // of gts

  __device__ __forceinline__ MatchBlock(const MatchGrid& grid, int boxes_per_block, int64_t gts)
      : batch(blockIdx.x / grid.chunks / grid.tiles),
        chunk(blockIdx.x % grid.chunks),
        box(blockIdx.x / grid.chunks % grid.tiles * boxes_per_block),
        begin(static_cast<int>(chunk) * grid.chunk),
        end(gts - begin < grid.chunk ? static_cast<int>(gts) : begin + grid.chunk) {}
};

// Whether no box inside `hull` has a point in common with b; rounded sums tell apart what is apart.
template <Real T> __device__ __forceinline__ bool disjoint(const Box<T>& hull, const PosedBox<T>& b) {
  const Box<T> around = surroundings(b, b.reach);
  return (hull.x2 < around.x1) | (around.x2 < hull.x1) | (hull.y2 < around.y1) | (around.y2 < hull.y1);
}

// A box that no comparison of scores is true for: of its scores some are NaN, and others 0 as those of a point.
template <Real T> __device__ __forceinline__ void set_nobody(AreaBox<T>& b) { b = {{0, 0, 0, 0}, kNaN<T>}; }
template <Real T> __device__ __forceinline__ void set_nobody(AngledBox<T>& b) { b = {{{0, 0, 0, 0}, kNaN<T>}, 0}; }
template <Real T> __device__ __forceinline__ void set_nobody(PosedBox<T>& b) {
  b = {{kInfinity<T>, 0, 0, 0, 0}, {1, 0}, {0, 0}};
}

template <class Kind, Real T> using Arranged = ArrangedSet<Loaded<Kind, T>, T>;

// The groups of a warp: plain boxes, and nobody in place of those that are odd or absent.
template <class Kind, Real T, int kGroups> struct OwnBoxes {
  const Arranged<Kind, T> set;  // of one batch entry
  const unsigned begin;         // the first box of the warp
  Ready<Kind, T> box[kGroups];

  __device__ __forceinline__ OwnBoxes(const Arranged<Kind, T>& set, unsigned first, const Given<Kind, T>& given)
      : set(set), begin(first + threadIdx.x / 32 * (kGroups * 32)) {
#pragma unroll
    for (int c = 0; c < kGroups; ++c) {
      box[c] = ready<Kind>(kept(c), given);
      if (!(group(c).plain >> threadIdx.x % 32 & 1)) set_nobody(box[c]);
    }
  }

  // Returns the box of group c as it is.
  __device__ __forceinline__ Loaded<Kind, T> kept(int c) const { return set.boxes[slot(c)]; }
  // Returns where in the set it is.
  __device__ __forceinline__ unsigned place(int c) const { return set.place(slot(c)); }
  // Returns the first place of the warp's boxes in group c, of those lanes that have `own`; ~0 if there is none.
  __device__ __forceinline__ unsigned first_place(int c, bool own) const { return warp_min(own ? place(c) : ~0u); }
  __device__ __forceinline__ const GroupOfBoxes<T>& group(int c) const { return set.groups[begin / 32 + c]; }
  __device__ __forceinline__ bool is_there(int c) const { return group(c).there() >> threadIdx.x % 32 & 1; }
  __device__ __forceinline__ bool any_odd() const {
    unsigned odd = 0;
#pragma unroll
    for (int c = 0; c < kGroups; ++c) odd |= group(c).odd;
    return odd != 0;
  }

 private:
  __device__ __forceinline__ unsigned slot(int c) const { return begin + c * 32 + threadIdx.x % 32; }
};

// 32 gts: a lane has one of them in registers, and all are in shared memory.
template <class Kind, Real T> struct GtWord {
  using Shared = Ready<Kind, T>[32];
  Ready<Kind, T> box;
  unsigned plain, odd;  // a bit for each gt

  // All lanes of a warp call it. `set` is of one batch entry.
  __device__ __forceinline__ void load(const Arranged<Kind, T>& set, int begin, const Given<Kind, T>& given,
                                       Shared& shared) {
    const int lane = threadIdx.x % 32;
    box = ready<Kind>(static_cast<Loaded<Kind, T>>(set.boxes[begin + lane]), given);
    const GroupOfBoxes<T>& group = set.groups[begin / 32];
    plain = group.plain, odd = group.odd;
    __syncwarp();  // all lanes are done with the word before
    shared[lane] = box;
    __syncwarp();
  }
  __device__ __forceinline__ unsigned there() const { return plain | odd; }
  __device__ __forceinline__ bool has_mine() const { return there() >> threadIdx.x % 32 & 1; }

  // Returns a bit for each plain one that may have a point in common with what lies in a hull.
  __device__ __forceinline__ unsigned near(const Box<T>& hull) const {
    return plain & __ballot_sync(0xffffffffu, !disjoint<T>(hull, box));
  }
};

// The first one or the second one, number by number: a choice between two places would keep boxes in memory.
template <Real T>
__device__ __forceinline__ PosedBox<T> choose(bool first, const PosedBox<T>& a, const PosedBox<T>& b) {
  const RotatedBox<T> box{first ? a.x : b.x, first ? a.y : b.y, first ? a.w : b.w, first ? a.h : b.h,
                          first ? a.angle : b.angle};
  return {box,
          {first ? a.at.c : b.at.c, first ? a.at.s : b.at.s},
          {first ? a.reach.x : b.reach.x, first ? a.reach.y : b.reach.y}};
}

// The score of two boxes where b is the first one if they have changed places.
template <class Kind, class B, Real T>
__device__ __forceinline__ T plain_score(bool swapped, const B& a, const B& b, const Eps<T>& eps) {
  if constexpr (kHasSides<Kind>) return swapped ? plain_score<Kind>(b, a, eps) : plain_score<Kind>(a, b, eps);
  else return plain_score<Kind>(a, b, eps);
}
template <class Kind, Real T>
__device__ __forceinline__ T plain_score(bool swapped, const PosedBox<T>& a, const PosedBox<T>& b,
                                         const RotatedParams<T>& o) {
  return plain_score<Kind>(choose(swapped, b, a), choose(swapped, a, b), o);
}

// Calls f(group, score, gt) for all boxes of a warp and gts of a block of which one is odd or the other; for lanes
// whose pair is another one the score is -infinity. Rotated boxes are never odd.
template <class Kind, Real T, int kGroups, class F>
__device__ __forceinline__ void meet_odd_pairs(const OwnBoxes<Kind, T, kGroups>& own, const Arranged<Kind, T>& gts,
                                               const MatchBlock& block, typename GtWord<Kind, T>::Shared& shared,
                                               bool swapped, const Given<Kind, T>& given, F&& f) {
  if constexpr (!kIsRotated<Kind>) {
    GtWord<Kind, T> word;
    for (int begin = block.begin; begin < block.end; begin += 32) {
      word.load(gts, begin, given, shared);
#pragma unroll 1
      for (int c = 0; c < kGroups; ++c) {
        const Box<T> box = own.kept(c);
        const bool is_there = own.is_there(c), is_odd = own.group(c).odd >> threadIdx.x % 32 & 1;
        unsigned with = own.group(c).odd != 0 ? word.there() : word.odd;
        for (; with != 0; with &= with - 1) {
          const int k = __ffs(with) - 1;
          const Box<T> gt = shared[k];
          T score = -kInfinity<T>;
          if (is_odd || (is_there && (word.odd >> k & 1)))
            score = swapped ? odd_score<Kind, T>(gt, box, given) : odd_score<Kind, T>(box, gt, given);
          f(c, score, begin + k);
        }
      }
    }
  }
}

// Most pairs need no division: an IoU s is more than t where the intersection is more than t / (1 + t) of the sum of
// both areas. Returns that share, a little less, so that no rounding matters.
template <Real T> __device__ __forceinline__ T share_needed(T t) { return divide(t, T(1) + t) * T(1 - 0x1p-20); }

// False only if the score of two plain boxes is 0, or less than that for which `share` is needed. For kinds that score
// 0 where boxes have no point in common.
template <class Kind, class B, Real T>
__device__ __forceinline__ bool may_attain(const B& a, const B& b, const Eps<T>& eps, T share) {
  const T shared = Pair{a, b, eps}.intersection();
  if constexpr (std::is_same_v<Kind, IoU>) return shared > share * (a.area() + b.area());
  else return shared > 0;
}

}  // namespace fastiou
