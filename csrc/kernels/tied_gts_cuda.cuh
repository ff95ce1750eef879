// What low-quality matches are made of, on CUDA: for every box the last gt whose best score it attains. Scores are
// computed again, in the way of max_iou_cuda.cuh, and only where a pair may attain that very score.
#pragma once
#include "match_warp_cuda.cuh"

namespace fastiou {

// Both sets as they are arranged, and what chunks find.
template <class B, Real T> struct TiedScratch {
  ArrangedSet<B, T> boxes, gts;
  int* chunk_indices;  // (chunks, batch, boxes), where there are several
  T least;             // the least score that counts
};

// The last gt so far of each box of a warp.
template <class Kind, Real T, int kGroups> struct Ties {
  static constexpr bool kBySharing = !kIsRotated<Kind> && kZeroIfDisjoint<Kind>;  // may_attain() is asked first
  int index[kGroups];

  __device__ __forceinline__ Ties() {
#pragma unroll
    for (int c = 0; c < kGroups; ++c) index[c] = -1;
  }

  // Compares plain gt k of which the best score is `value` with the groups whose bit `bit` is set in `near`.
  __device__ __forceinline__ void meet(const OwnBoxes<Kind, T, kGroups>& own, const unsigned (&near)[kGroups],
                                       const Ready<Kind, T>& gt, T value, T share, int k, int bit,
                                       const Given<Kind, T>& given) {
#pragma unroll
    for (int c = 0; c < kGroups; ++c) {
      if (!(near[c] >> bit & 1)) continue;
      if constexpr (kBySharing) {
        const bool may = value <= 0 || may_attain<Kind>(own.box[c], gt, given, share);
        if (!__any_sync(0xffffffffu, may)) continue;
      }
      index[c] = plain_score<Kind>(own.box[c], gt, given) == value ? k : index[c];
    }
  }

  __device__ __forceinline__ void take_odd(int c, T score, T value, int k) {
#pragma unroll
    for (int j = 0; j < kGroups; ++j) index[j] = j == c && score == value && k > index[j] ? k : index[j];
  }
};

template <class Kind, Real T, int kGroups>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce<Kind, T>)
    tied_gts_kernel(const __grid_constant__ TiedGtsArgs a,
                    const __grid_constant__ TiedScratch<Loaded<Kind, T>, T> scratch, const MatchGrid grid,
                    const __grid_constant__ Given<Kind, T> given) {
  __shared__ typename GtWord<Kind, T>::Shared words[kWarps];
  const MatchBlock block(grid, kGroups * kThreads, a.gts.count);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const bool sparse = zero_if_disjoint<Kind>(given);
  const T* const values = static_cast<const T*>(a.gt_values) + block.batch * a.gts.count;
  const OwnBoxes<Kind, T, kGroups> own(scratch.boxes.of(block.batch), block.box, given);
  const Arranged<Kind, T> gts = scratch.gts.of(block.batch);
  Ties<Kind, T, kGroups> found;
  bool any_odd = own.any_odd();
  GtWord<Kind, T> word;
  for (int begin = block.begin; begin < block.end; begin += 32) {
    word.load(gts, begin, given, words[warp]);
    any_odd = any_odd || word.odd != 0;
    const T value = word.has_mine() ? values[begin + lane] : T(0), share = share_needed(value);
    const unsigned wanted = word.plain & __ballot_sync(0xffffffffu, value >= scratch.least);
    const unsigned everywhere =
        sparse ? __ballot_sync(0xffffffffu, value <= 0) : ~0u;  // boxes beyond the hull tie, too
    unsigned near[kGroups], any = 0;
#pragma unroll
    for (int c = 0; c < kGroups; ++c)
      any |= near[c] = wanted & (sparse ? everywhere | word.near(own.group(c).hull) : ~0u);
    for (; any != 0; any &= any - 1) {
      const int k = __ffs(any) - 1;
      const T gt_value = __shfl_sync(0xffffffffu, value, k), gt_share = __shfl_sync(0xffffffffu, share, k);
      found.meet(own, near, words[warp][k], gt_value, gt_share, begin + k, k, given);
    }
  }
  if (any_odd) {
    meet_odd_pairs(own, gts, block, words[warp], false, given, [&](int c, T score, int k) {
      if (values[k] >= scratch.least) found.take_odd(c, score, values[k], k);
    });
  }
#pragma unroll
  for (int c = 0; c < kGroups; ++c) {
    const unsigned place = own.place(c);
    if (place >= a.boxes.count) continue;
    const int index = own.is_there(c) ? found.index[c] : -1;  // the score of nobody may be 0
    const int64_t boxes = a.batch * a.boxes.count, i = block.batch * a.boxes.count + place;
    if (grid.chunks == 1) a.indices[i] = index;
    else scratch.chunk_indices[block.chunk * boxes + i] = index;
  }
}

// Takes the last of what chunks have found.
__global__ void __launch_bounds__(kThreads)
    finish_ties_kernel(const int* chunk_indices, const unsigned chunks, const int64_t boxes, int64_t* indices) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < boxes; i += step) {
    int index = -1;
    for (unsigned c = 0; c < chunks; ++c) {
      const int other = chunk_indices[c * boxes + i];
      index = other > index ? other : index;
    }
    indices[i] = index;
  }
}

}  // namespace fastiou
