// Soft suppression on CUDA: one block, because every selection needs the scores that the one before has left.
#pragma once
#include "ranked_cuda.cuh"

namespace fastiou {

// The best score so far, the first in input order of equal ones.
template <Real T> struct Best {
  static constexpr T kGone = -std::numeric_limits<T>::infinity();  // of boxes selected, or decayed below the threshold
  T score = kGone;
  int64_t index = INT64_MAX;

  __device__ __forceinline__ void take(T other, int64_t i) {
    if (other > score || (other == score && i < index)) score = other, index = i;
  }
};

// Returns the best of kLanes neighbouring lanes, a power of two, to each of them.
template <int kLanes, Real T> __device__ __forceinline__ Best<T> best_of_lanes(Best<T> mine) {
#pragma unroll
  for (int mask = kLanes / 2; mask > 0; mask /= 2) {
    const T score = __shfl_xor_sync(0xffffffffu, mine.score, mask);
    const int64_t index = __shfl_xor_sync(0xffffffffu, mine.index, mask);
    mine.take(score, index);
  }
  return mine;
}

// Returns the best of the block to all its threads. Calls take turns, 0 and 1: so they need no barrier between them.
template <Real T> __device__ __forceinline__ Best<T> best_of_block(Best<T> mine, int turn) {
  constexpr int kWarps = kOneBlock / 32;
  __shared__ T scores[2][kWarps];
  __shared__ int64_t indices[2][kWarps];
  mine = best_of_lanes<32>(mine);
  if (threadIdx.x % 32 == 0) scores[turn][threadIdx.x / 32] = mine.score, indices[turn][threadIdx.x / 32] = mine.index;
  __syncthreads();
  const int warp = threadIdx.x % kWarps;
  return best_of_lanes<kWarps>(warp < blockDim.x / 32 ? Best<T>{scores[turn][warp], indices[turn][warp]} : Best<T>{});
}

// One block of up to kOneBlock threads. `left` (count) is scratch for the scores; `least` is their threshold.
template <class Kind, Real T>
__global__ void __launch_bounds__(kOneBlock, 1)
    soft_nms_kernel(const __grid_constant__ SoftNmsArgs a, const RankedBoxes<KeptBox<Kind, T>> r,
                    const __grid_constant__ PairOverlap<Kind, T> overlap, const SoftDecay<T> decay, const T least,
                    T* left) {
  const auto store = [&](int64_t k, int64_t index, T score) {
    a.selected[k] = index;
    store_score(a.scores, a.out_dtype, k, score);
  };
  Best<T> mine;
  for (int64_t i = threadIdx.x; i < r.count; i += blockDim.x) {
    const T score = a.in.score<T>(i);
    left[i] = score >= least ? score : Best<T>::kGone;
    mine.take(left[i], i);
  }
  int64_t k = 0;
  for (;; ++k) {
    const Best<T> best = best_of_block(mine, k % 2);
    if (best.score == Best<T>::kGone) break;
    if (threadIdx.x == 0) store(k, best.index, best.score);
    const RankedBox<Kind, T> selected = load_ranked<Kind, T>(r, best.index);
    mine = Best<T>();
    for (int64_t i = threadIdx.x; i < r.count; i += blockDim.x) {
      T score = left[i];
      const RankedBox<Kind, T> other = load_ranked<Kind, T>(r, i);
      if (i == best.index) {
        left[i] = score = Best<T>::kGone;
      } else if (selected.meets(other) & (score != Best<T>::kGone) && !overlap.is_soon_zero(selected, other)) {
        const T o = overlap(selected, other);
        score *= a.gaussian ? decay.template factor<true>(o) : decay.template factor<false>(o);
        left[i] = score = score >= least ? score : Best<T>::kGone;
      }
      mine.take(score, i);
    }
  }
  if (threadIdx.x == 0) *a.kept_count = k;
  for (k += threadIdx.x; k < r.count; k += blockDim.x) store(k, -1, 0);
}

}  // namespace fastiou
