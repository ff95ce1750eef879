// Matrix NMS on CUDA, without a matrix: a thread per box goes over all better boxes, once for the compensations and once
// for the decays.
#pragma once
#include "ranked_cuda.cuh"

namespace fastiou {

// kDecay: whether the compensations, (count) by rank, are there and scores are to be written, or they are to be written.
template <class Kind, Real T, bool kDecay>
__global__ void __launch_bounds__(kNmsThreads, kBlocksAtOnce<Kind, T>)
    matrix_nms_kernel(const __grid_constant__ MatrixNmsArgs a, const RankedBoxes<KeptBox<Kind, T>> r,
                      const PairOverlap<Kind, T> overlap,
                      const MatrixDecay<T> decay, T* compensation) {
  __shared__ RankedTile<KeptBox<Kind, T>> tile;
  __shared__ T tile_compensation[kNmsThreads];
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kNmsThreads, rank = first + threadIdx.x;
  const bool in = rank < r.count;
  const KeptBox<Kind, T> box = in ? r.boxes[rank] : KeptBox<Kind, T>{};
  const uint8_t flags = in ? r.flags[rank] : 0;
  const int64_t own = in ? r.class_of(rank) : 0;
  T most = 0;
  for (int64_t begin = 0; begin <= first; begin += kNmsThreads) {
    __syncthreads();  // all threads are done with the tile before
    tile.load(r, begin + threadIdx.x, threadIdx.x);
    if (kDecay && begin + threadIdx.x < r.count) tile_compensation[threadIdx.x] = compensation[begin + threadIdx.x];
    __syncthreads();
    for (int j = 0; j < kNmsThreads && begin + j < rank; ++j) {
      if (!(tile.flags[j] & kIsThere) || tile.classes[j] != own) continue;
      const T score = overlap(tile.boxes[j], tile.flags[j], box, flags);
      if constexpr (!kDecay) most = max(share(score), most);
      else if (a.gaussian) most = max(decay.template pull<true>(score, tile_compensation[j]), most);
      else most = max(decay.template pull<false>(score, tile_compensation[j]), most);
    }
  }
  if (!in) return;
  if constexpr (!kDecay) {
    compensation[rank] = most;
  } else {
    const int64_t i = r.index(rank);
    const double score = decay.decayed(a.gaussian, a.in.score(i), most);
    if (a.out_dtype == DType::f64) static_cast<double*>(a.scores)[i] = score;
    else static_cast<float*>(a.scores)[i] = static_cast<float>(score);
  }
}

}  // namespace fastiou
