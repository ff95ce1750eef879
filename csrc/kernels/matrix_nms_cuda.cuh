// Matrix NMS on CUDA, without a matrix: blocks compare boxes with a slice of the better ones, once for the
// compensations and once for the pulls (kernels/nms.h), and raise the largest number so far. The order makes no
// difference to it. IoU in float takes 29 and 32 instructions a pair (sm_90).
#pragma once
#include "ranked_cuda.cuh"

namespace fastiou {

enum class MatrixPass : int { compensation, linear_pull, gaussian_pull };

// Both numbers of every box by rank, (count) each, 0 at first.
template <Real T> struct MatrixNumbers {
  T* compensation = nullptr;
  T* pull = nullptr;
};

// Raises a number that is not below 0: as bits such numbers compare like integers.
template <Real T> __device__ __forceinline__ void raise(T* to, T x) {
  using Int = std::conditional_t<std::is_same_v<T, float>, unsigned, unsigned long long>;
  if (x > 0) atomicMax(reinterpret_cast<Int*>(to), __builtin_bit_cast(Int, x));
}

// A thread per box. Block b takes boxes b % rows and slice b / rows of those that are better.
template <class Kind, Real T, MatrixPass kPass>
__global__ void __launch_bounds__(kPairThreads, kPairBlocks<Kind, T>)
    matrix_nms_kernel(const RankedBoxes<KeptBox<Kind, T>> r, const unsigned rows,
                      const __grid_constant__ PairOverlap<Kind, T> overlap, const MatrixNumbers<T> numbers) {
  __shared__ RankedBox<Kind, T> tile[kWord];
  __shared__ T compensation[kWord];
  const int64_t first_row = static_cast<int64_t>(blockIdx.x % rows) * kPairThreads, rank = first_row + threadIdx.x;
  const int64_t begin = static_cast<int64_t>(blockIdx.x / rows) * kSlice;
  const RankedBox<Kind, T> own = load_ranked<Kind, T>(r, rank);
  T most = 0;
  const auto meet = [&](int c, T score) {
    if constexpr (kPass == MatrixPass::compensation) most = max(share(score), most);
    else most = max(MatrixDecay<T>::template pull<kPass == MatrixPass::gaussian_pull>(score, compensation[c]), most);
  };
  for (int64_t first = begin; first < begin + kSlice && first < first_row + kPairThreads; first += kWord) {
    RankedBox<Kind, T> better{};
    if (threadIdx.x < kWord) {
      better = load_ranked<Kind, T>(r, first + threadIdx.x);
      tile[threadIdx.x] = better;
      if (kPass != MatrixPass::compensation)
        compensation[threadIdx.x] = first + threadIdx.x < r.count ? numbers.compensation[first + threadIdx.x] : 0;
    }
    const bool usual = threadIdx.x >= kWord || (better.is_there() && better.suits());
    if (__syncthreads_and(usual && own.suits() && !kIsRotated<Kind>)) {
      if constexpr (!kIsRotated<Kind>) {
        const int64_t better_ones = rank - first;
        const int asked = better_ones < kWord ? static_cast<int>(better_ones) : kWord;
#pragma unroll 4
        for (int c = 0; c < kWord; ++c) {
          const bool meets = c < asked && static_cast<int32_t>(tile[c].class_id) == static_cast<int32_t>(own.class_id);
          const T score = overlap.plain(tile[c].box, own.box);
          meet(c, meets ? score : T(0));
        }
      }
    } else {
      for_partners(tile, own, overlap, false, first_bits(rank - first), [&](int c) { meet(c, overlap(tile[c], own)); });
    }
    __syncthreads();  // all threads are done with the tile
  }
  if (rank < r.count) raise((kPass == MatrixPass::compensation ? numbers.compensation : numbers.pull) + rank, most);
}

// A thread per box: its score by its pull.
template <Real T>
__global__ void __launch_bounds__(kNmsThreads)
    matrix_decay_kernel(const __grid_constant__ MatrixNmsArgs a, const int64_t* order, const MatrixDecay<T> decay,
                        const T* pull) {
  const int64_t rank = static_cast<int64_t>(blockIdx.x) * kNmsThreads + threadIdx.x;
  if (rank >= a.in.boxes.count) return;
  const int64_t i = order[rank];
  store_score(a.scores, a.out_dtype, i, decay.decayed(a.gaussian, a.in.score<T>(i), pull[rank]));
}

}  // namespace fastiou
