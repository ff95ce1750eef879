// Matching on CUDA. The larger set is the one whose boxes threads hold; the other one passes by. A box's best gt stays
// in registers; the best box of a gt is the largest of 64-bit keys, which blocks raise as they go.
//
// Reads both sets and writes 12 bytes per box: nothing is as large as the matrix. For kinds that score 0 where boxes
// have no point in common, most pairs are never looked at: boxes are put in an order of neighbours first, and a warp
// asks of 32 gts at once which come near its boxes. Of those that do, most are told by their intersection that they are
// no match.
#pragma once
#include "match_warp_cuda.cuh"

namespace fastiou {

// The least number above 0.
template <Real T> constexpr T kLeast = std::numeric_limits<T>::denorm_min();

// Both sets as they are arranged, and what is found meanwhile. Keys start at 0. What chunks find for a box is merged in
// their order.
template <class B, Real T> struct MaxIoUScratch {
  ArrangedSet<B, T> boxes, gts;
  Key* keys;         // (batch, gts)
  Key* indices;      // (batch, gts), for doubles alone
  Key* first;        // (batch), the key of the first box that is there
  T* values;         // (chunks, batch, boxes), where there are several
  int* chunk_indices;
};

// The best gt so far of each box of a warp, and the best box so far of the gt that a lane has.
template <class Kind, Real T, int kGroups, Offer kOffer> struct Matches {
  static constexpr bool kBySharing = !kIsRotated<Kind> && kZeroIfDisjoint<Kind>;  // may_attain() is asked first
  using Own = OwnBoxes<Kind, T, kGroups>;
  T best[kGroups], share[kGroups];  // share_needed(best)
  int index[kGroups];
  T floor, floor_share;  // what a box must score to be the best one of the gt
  Key key;               // of one that does; 0 if there is none

  __device__ __forceinline__ explicit Matches(T least) {
#pragma unroll
    for (int c = 0; c < kGroups; ++c) best[c] = least, share[c] = 0, index[c] = -1;
  }

  __device__ __forceinline__ void take_gt(T least) {
    key = 0, floor = least;
    if constexpr (kBySharing) floor_share = share_needed(floor);
  }

  // Compares plain gt k, which lane `owner` has, with the groups whose bit `owner` is set in `near`.
  __device__ __forceinline__ void meet(const Own& own, const unsigned (&near)[kGroups], const Ready<Kind, T>& gt, int k,
                                       int owner, bool swapped, const Given<Kind, T>& given) {
    T gt_floor = __shfl_sync(0xffffffffu, floor, owner), gt_share = 0;
    if constexpr (kBySharing) gt_share = __shfl_sync(0xffffffffu, floor_share, owner);
#pragma unroll
    for (int c = 0; c < kGroups; ++c) {
      if (!(near[c] >> owner & 1)) continue;
      if constexpr (kBySharing) {
        if (!__any_sync(0xffffffffu, may_attain<Kind>(own.box[c], gt, given, min(share[c], gt_share)))) continue;
      }
      const T score = plain_score<Kind>(swapped, own.box[c], gt, given);
      const bool better = score > best[c];
      best[c] = better ? score : best[c];
      index[c] = better ? k : index[c];
      if constexpr (kBySharing) share[c] = better ? share_needed(score) : share[c];
      if (!__any_sync(0xffffffffu, score >= gt_floor)) continue;
      const T most = warp_max(score >= gt_floor ? score : -kInfinity<T>);  // NaN, of nobody, is no score
      const Key offered = key_of<T, kOffer>(most, own.first_place(c, score == most));
      if constexpr (kOffer != Offer::index) {
        gt_floor = most;
        if constexpr (kBySharing) gt_share = share_needed(most);
      }
      if (threadIdx.x % 32 == owner) key = offered > key ? offered : key;
    }
  }

  // Takes the scores of gt k and the boxes of group c, whatever has been compared before.
  __device__ __forceinline__ void take_odd(const Own& own, int c, T score, int k, T least, Key* gt_key) {
#pragma unroll
    for (int j = 0; j < kGroups; ++j) {
      const bool better = j == c && score >= least && (score > best[j] || (score == best[j] && k < index[j]));
      best[j] = better ? score : best[j];
      index[j] = better ? k : index[j];
    }
    const T most = warp_max(score);
    const unsigned place = own.first_place(c, score == most);
    if (threadIdx.x % 32 == 0 && most >= least) raise(gt_key, key_of<T, kOffer>(most, place));
  }
};

// What a pass has to offer a gt to be heard: `least`, or more if something has been offered before; in a pass for
// indices what has turned out to be best.
template <Real T, Offer kOffer> __device__ __forceinline__ T floor_of(const Key* score_key, T least) {
  const Key key = kOffer == Offer::index ? *score_key : look(score_key);
  if constexpr (kOffer == Offer::index) return key != 0 ? number_of<T>(key) : kInfinity<T>;
  else return key != 0 ? score_of_key<T, kOffer>(key) : least;
}

template <class Kind, Real T, int kGroups, Offer kOffer>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce<Kind, T>)
    max_iou_kernel(const __grid_constant__ MaxIoUArgs a,
                   const __grid_constant__ MaxIoUScratch<Loaded<Kind, T>, T> scratch, const MatchGrid grid,
                   const __grid_constant__ Given<Kind, T> given) {
  __shared__ typename GtWord<Kind, T>::Shared words[kWarps];
  const MatchBlock block(grid, kGroups * kThreads, a.gts.count);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const bool sparse = zero_if_disjoint<Kind>(given);
  const OwnBoxes<Kind, T, kGroups> own(scratch.boxes.of(block.batch), block.box, given);
  const Arranged<Kind, T> gts = scratch.gts.of(block.batch);
  if (block.chunk == 0) {
    unsigned first = ~0u;
#pragma unroll
    for (int c = 0; c < kGroups; ++c) {
      const unsigned place = own.first_place(c, own.is_there(c));
      first = place < first ? place : first;
    }
    if (lane == 0) raise(scratch.first + block.batch, index_key(first));
  }

  Matches<Kind, T, kGroups, kOffer> found(sparse ? T(0) : -kInfinity<T>);
  const T least = sparse ? kLeast<T> : -kLargest<T>;
  Key* const score_keys = scratch.keys + block.batch * a.gts.count;
  Key* const keys = kOffer == Offer::index ? scratch.indices + block.batch * a.gts.count : score_keys;
  int first_gt = -1;
  bool any_odd = own.any_odd();
  GtWord<Kind, T> word;
  for (int begin = block.begin; begin < block.end; begin += 32) {
    word.load(gts, begin, given, words[warp]);
    if (first_gt < 0 && word.there() != 0) first_gt = begin + __ffs(word.there()) - 1;
    any_odd = any_odd || word.odd != 0;
    found.take_gt(word.has_mine() ? floor_of<T, kOffer>(score_keys + begin + lane, least) : least);
    unsigned near[kGroups], any = 0;
#pragma unroll
    for (int c = 0; c < kGroups; ++c) any |= near[c] = sparse ? word.near(own.group(c).hull) : word.plain;
    for (; any != 0; any &= any - 1) {
      const int k = __ffs(any) - 1;
      found.meet(own, near, words[warp][k], begin + k, k, grid.swapped, given);
    }
    if (found.key != 0) raise(keys + begin + lane, found.key);
  }
  if (any_odd) {
    meet_odd_pairs(own, gts, block, words[warp], grid.swapped, given, [&](int c, T score, int k) {
      const T floor = kOffer == Offer::index ? floor_of<T, kOffer>(score_keys + k, least) : least;
      found.take_odd(own, c, score, k, floor, keys + k);
    });
  }
  if constexpr (kOffer != Offer::index) {
#pragma unroll
    for (int c = 0; c < kGroups; ++c) {
      const unsigned place = own.place(c);
      if (place >= a.boxes.count) continue;
      const bool none = found.index[c] < 0;  // then all gts tie at 0, if there are any
      const int index = !none ? found.index[c] : sparse && own.is_there(c) ? first_gt : -1;
      const T value = none ? T(0) : found.best[c];
      int64_t i = block.batch * a.boxes.count + place;
      if (grid.chunks == 1) {
        static_cast<T*>(a.values)[i] = value;
        a.indices[i] = index;
      } else {
        i += block.chunk * (a.batch * a.boxes.count);
        scratch.values[i] = value;
        scratch.chunk_indices[i] = index;
      }
    }
  }
}

// Reads the best box of a gt from its key.
template <class B, Real T>
__device__ __forceinline__ void read_key(const MaxIoUArgs& a, const MaxIoUScratch<B, T>& scratch, int64_t i) {
  const int64_t batch = i / a.gts.count, k = i % a.gts.count;
  const bool there = scratch.gts.of(batch).groups[k / 32].there() >> k % 32 & 1;
  const Key key = scratch.keys[i], first = scratch.first[batch];
  T value = 0;
  int64_t index = -1;
  if (there && key != 0) {
    value = sizeof(T) == 4 ? score_of_key<T, Offer::both>(key) : score_of_key<T, Offer::score>(key);
    index = index_of(sizeof(T) == 4 ? key : scratch.indices[i]);
  } else if (there && first != 0) {  // no box has a point in common with it: all tie at 0
    index = index_of(first);
  }
  static_cast<T*>(a.gt_values)[i] = value;
  a.gt_indices[i] = index;
}

// Takes the best of what chunks have found for a box: the first one of equal ones.
template <class B, Real T>
__device__ __forceinline__ void merge_chunks(const MaxIoUArgs& a, const MaxIoUScratch<B, T>& scratch, unsigned chunks,
                                             int64_t i) {
  const int64_t boxes = a.batch * a.boxes.count;
  T value = 0;
  int index = -1;
  for (unsigned c = 0; c < chunks; ++c) {
    const T other = scratch.values[c * boxes + i];
    const int other_index = scratch.chunk_indices[c * boxes + i];
    if (other_index >= 0 && (index < 0 || other > value)) value = other, index = other_index;
  }
  static_cast<T*>(a.values)[i] = value;
  a.indices[i] = index;
}

// After all boxes have met all gts.
template <class B, Real T>
__global__ void __launch_bounds__(kThreads)
    finish_matches_kernel(const __grid_constant__ MaxIoUArgs a, const __grid_constant__ MaxIoUScratch<B, T> scratch,
                          const unsigned chunks) {
  const int64_t gts = a.batch * a.gts.count, boxes = chunks > 1 ? a.batch * a.boxes.count : 0;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < gts + boxes; i += step) {
    if (i < gts) read_key(a, scratch, i);
    else merge_chunks(a, scratch, chunks, i - gts);
  }
}

}  // namespace fastiou
