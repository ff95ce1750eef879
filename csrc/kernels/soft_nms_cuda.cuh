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

// The best of all threads of the block, in all of them.
template <Real T> __device__ __forceinline__ Best<T> block_best(Best<T> mine) {
  __shared__ T scores[kOneBlock / 32];
  __shared__ int64_t indices[kOneBlock / 32];
  for (int offset = 16; offset > 0; offset /= 2) {
    const T score = __shfl_down_sync(0xffffffffu, mine.score, offset);
    const int64_t index = __shfl_down_sync(0xffffffffu, mine.index, offset);
    mine.take(score, index);
  }
  if (threadIdx.x % 32 == 0) scores[threadIdx.x / 32] = mine.score, indices[threadIdx.x / 32] = mine.index;
  __syncthreads();
  Best<T> best;
  for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) best.take(scores[warp], indices[warp]);
  __syncthreads();  // both arrays may be used again
  return best;
}

// `scores` (count) is scratch. `least` is the score threshold.
template <class Kind, Real T>
__global__ void __launch_bounds__(kOneBlock, kIsRotated<Kind> ? 1 : 0)  // there is no other block to leave registers to
    soft_nms_kernel(const __grid_constant__ SoftNmsArgs a, const RankedBoxes<KeptBox<Kind, T>> r,
                    const PairOverlap<Kind, T> overlap,
                    const SoftDecay<T> decay, const T least, T* scores) {
  const auto store = [&](int64_t k, int64_t index, T score) {
    a.selected[k] = index;
    if (a.out_dtype == DType::f64) static_cast<double*>(a.scores)[k] = static_cast<double>(score);
    else static_cast<float*>(a.scores)[k] = static_cast<float>(score);
  };
  Best<T> mine;
  for (int64_t i = threadIdx.x; i < r.count; i += blockDim.x) {
    const T score = static_cast<T>(a.in.score(i));
    scores[i] = score >= least ? score : Best<T>::kGone;
    mine.take(scores[i], i);
  }
  int64_t k = 0;
  for (;; ++k) {
    const Best<T> best = block_best(mine);
    if (best.score == Best<T>::kGone) break;
    if (threadIdx.x == 0) store(k, best.index, best.score);
    const KeptBox<Kind, T> box = r.boxes[best.index];
    const uint8_t flags = r.flags[best.index];
    const int64_t own = r.class_of(best.index);
    mine = Best<T>();
    for (int64_t i = threadIdx.x; i < r.count; i += blockDim.x) {
      T score = scores[i];
      if (score == Best<T>::kGone) continue;
      if (i == best.index) {
        scores[i] = Best<T>::kGone;
        continue;
      }
      if (r.class_of(i) == own) {
        const T o = overlap(box, flags, r.boxes[i], r.flags[i]);
        score *= a.gaussian ? decay.template factor<true>(o) : decay.template factor<false>(o);
        scores[i] = score = score >= least ? score : Best<T>::kGone;
      }
      mine.take(score, i);
    }
  }
  if (threadIdx.x == 0) *a.kept_count = k;
  for (k += threadIdx.x; k < r.count; k += blockDim.x) store(k, -1, 0);
}

}  // namespace fastiou
