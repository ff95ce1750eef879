// Greedy suppression on CUDA: which boxes are kept, decided by one block from what suppression_cuda.cuh has written, and what
// becomes of them where suppressed boxes are merged into them. Nothing comes back to the host.
#pragma once
#include "suppression_cuda.cuh"

namespace fastiou {

constexpr int kDecisionWarps = 8, kDecisionThreads = 32 * kDecisionWarps;
constexpr int kGroup = kDecisionWarps * kWord;  // boxes at a time: a warp has a word of them, a lane two
constexpr int kMostChunk = 2048;                // boxes

// Returns two bits per lane, of boxes `lane` and 32 + lane, as one word.
__device__ __forceinline__ uint64_t ballot_of_two(bool low, bool high) {
  return static_cast<uint64_t>(__ballot_sync(0xffffffffu, high)) << 32 | __ballot_sync(0xffffffffu, low);
}

// Returns which boxes of a word are kept. Of each of its two boxes a lane knows whether it is open, which no earlier word
// suppresses, and which boxes of this word do. An open box that no open one suppresses is kept, and closes those that it
// suppresses. Every round decides the best open box at least, and as a rule two or three decide all.
__device__ __forceinline__ uint64_t decide_word(bool low, bool high, uint64_t low_bits, uint64_t high_bits) {
  uint64_t kept = 0;
  for (uint64_t open = ballot_of_two(low, high); open != 0; open = ballot_of_two(low, high)) {
    const bool low_waits = (low_bits & open) != 0, high_waits = (high_bits & open) != 0;
    const uint64_t now = ballot_of_two(low & !low_waits, high & !high_waits);
    low = low & low_waits & ((low_bits & now) == 0);
    high = high & high_waits & ((high_bits & now) == 0);
    kept |= now;
  }
  return kept;
}

// One block. `keep` and `selected` as in NmsArgs.
__global__ void __launch_bounds__(kDecisionThreads, 1)
    decide_kernel(const NmsChunk chunk, const int64_t* order, const uint8_t* flags, bool* keep, int64_t* selected) {
  __shared__ uint64_t kept[kMostChunk / kWord];
  __shared__ uint64_t group[kDecisionWarps][2][kDecisionThreads];  // bits of the boxes of a thread, by word
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int words = static_cast<int>(chunk.words()), boxes = static_cast<int>(chunk.boxes());
  const int size = static_cast<int>(chunk.size);
  int64_t total = chunk.first == 0 ? 0 : *chunk.kept_count;
  if (threadIdx.x == 0) *chunk.kept_before = total;
  for (int begin = 0; begin < words; begin += kDecisionWarps) {
    int at[2];
    int64_t index[2];
    bool open[2];
    uint64_t suppressors[2] = {};  // some word of them that is not 0
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      at[k] = (begin + warp) * kWord + 32 * k + lane;
      const bool in = at[k] < boxes;
      const int64_t rank = chunk.first + at[k];
      index[k] = in ? order[rank] : 0;
      open[k] = in && (flags[rank] & kIsThere) && !(chunk.struck[rank / 32] >> lane & 1);
    }
    // 16 loads are on their way at once: nothing that is decided here is needed to know where they are.
    for (int w = 0; w <= begin; w += kDecisionWarps) {
      uint64_t bits[kDecisionWarps][2];
#pragma unroll
      for (int j = 0; j < kDecisionWarps; ++j)
#pragma unroll
        for (int k = 0; k < 2; ++k)
          bits[j][k] = at[k] < boxes && w + j <= begin + warp ? chunk.bits[(w + j) * size + at[k]] : 0;
#pragma unroll
      for (int j = 0; j < kDecisionWarps; ++j)
#pragma unroll
        for (int k = 0; k < 2; ++k) {
          if (w < begin) suppressors[k] |= bits[j][k] & kept[w + j];
          else group[j][k][threadIdx.x] = bits[j][k];
        }
    }
    const int more = words - begin < kDecisionWarps ? words - begin : kDecisionWarps;
    for (int j = 0; j < more; ++j) {
      if (warp == j) {
        const uint64_t chosen = decide_word(open[0] && suppressors[0] == 0, open[1] && suppressors[1] == 0,
                                            group[j][0][threadIdx.x], group[j][1][threadIdx.x]);
        if (lane == 0) kept[begin + j] = chosen;
      }
      __syncthreads();
#pragma unroll
      for (int k = 0; k < 2; ++k) suppressors[k] |= group[j][k][threadIdx.x] & kept[begin + j];
    }
    int64_t before = total;  // of the first box of this warp
    for (int j = 0; j < more; ++j) {
      const int n = __popcll(kept[begin + j]);
      before += j < warp ? n : 0;
      total += n;
    }
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      if (at[k] >= boxes) continue;
      const uint64_t chosen = kept[begin + warp];
      const bool is_kept = chosen >> (32 * k + lane) & 1;
      keep[index[k]] = is_kept;
      if (!is_kept) continue;
      const int64_t slot = before + __popcll(chosen & first_bits(32 * k + lane));
      selected[slot] = index[k];
      chunk.rank_of[slot] = chunk.first + at[k];
    }
  }
  if (threadIdx.x == 0) *chunk.kept_count = total;
  if (chunk.left() > chunk.size) return;
  for (int64_t i = total + threadIdx.x; i < chunk.count; i += kDecisionThreads) selected[i] = -1;
}

// A warp per kept box: its mean with the boxes that it suppresses, in a fixed order.
template <class Kind, Real T>
__global__ void __launch_bounds__(kNmsThreads)
    merge_kernel(const __grid_constant__ NmsArgs a, const RankedBoxes<Box<T>> r, const int64_t* rank_of,
                 const SuppressionRule<Kind, T> rule) {
  const int64_t slot = (static_cast<int64_t>(blockIdx.x) * kNmsThreads + threadIdx.x) / 32;
  const int lane = threadIdx.x % 32;
  if (slot >= r.count) return;
  T* const out = static_cast<T*>(a.merged) + 4 * slot;
  if (slot >= *a.kept_count) {
    if (lane < 4) out[lane] = 0;
    return;
  }
  const int64_t rank = rank_of[slot];
  const RankedBox<Kind, T> own = load_ranked<Kind, T>(r, rank);
  MergedBox sum;
  if (lane == 0) sum.add(a.in, r.index(rank), 1);
  for (int64_t i = rank + 1 + lane; i < r.count; i += 32) {
    const RankedBox<Kind, T> other = load_ranked<Kind, T>(r, i);
    if (own.meets(other) && rule.suppresses(own, other))
      sum.add(a.in, r.index(i), static_cast<double>(rule.overlap(own, other)));
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    sum.weight += __shfl_down_sync(0xffffffffu, sum.weight, offset);
    for (int k = 0; k < 4; ++k) sum.sum[k] += __shfl_down_sync(0xffffffffu, sum.sum[k], offset);
  }
  if (lane == 0)
    for (int k = 0; k < 4; ++k) out[k] = static_cast<T>(sum.mean(a.in, r.index(rank), k));
}

}  // namespace fastiou
