// Greedy suppression on CUDA, the decisions: which boxes are kept, found by one block from the bits of
// suppression_cuda.cuh, and what becomes of them where suppressed boxes are merged. Nothing comes back to the host.
//
// The block takes a group of 512 boxes at a time. Their bits come in batches of 16 loads a thread, none of which waits
// for a decision: one trip to the L2 cache for the group itself, and one for every group of the chunk before it. Then
// the eight words of the group are decided one after the other, each by two or three rounds of votes and a barrier, in
// some 0.2 us. From counts, with 250 ns a trip, a group takes 2.5 us: 0.1 ms for 20,000 boxes, 0.5 ms for 100,000.
#pragma once
#include "suppression_cuda.cuh"

namespace fastiou {

constexpr int kDecisionWarps = 8;  // a warp has a word of boxes, a lane two
constexpr int kDecisionThreads = 32 * kDecisionWarps;
constexpr int kMostChunk = 2048;  // boxes

// Returns two bits per lane, of boxes `lane` and 32 + lane, as one word.
__device__ __forceinline__ uint64_t ballot_of_two(bool low, bool high) {
  return static_cast<uint64_t>(__ballot_sync(0xffffffffu, high)) << 32 | __ballot_sync(0xffffffffu, low);
}

// Returns which boxes of a word are kept. Of each of its two boxes a lane knows whether it is open, because no earlier
// word suppresses it, and which boxes of this word do. An open box that no open one suppresses is kept and closes those
// that it suppresses. Every round decides the best open box at least; as a rule two or three rounds decide all.
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

// The two boxes of a thread, by place in the chunk.
struct DecidedBoxes {
  int at[2];
  int64_t index[2];
  bool open[2];             // they are there, and no earlier chunk suppresses them
  uint64_t suppressors[2];  // not 0 where an earlier word of this chunk does

  __device__ __forceinline__ DecidedBoxes(const NmsChunk& chunk, const int64_t* order, const uint8_t* flags, int word) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      at[k] = word * kWord + 32 * k + lane;
      const bool in = at[k] < chunk.boxes();
      const int64_t rank = chunk.first + at[k];
      index[k] = in ? order[rank] : 0;
      open[k] = in && (flags[rank] & kIsThere) && !(chunk.struck[rank / 32] >> lane & 1);
      suppressors[k] = 0;
    }
  }
};

// Bits of the boxes of every thread in a group of words.
using GroupBits = uint64_t[kDecisionWarps][2][kDecisionThreads];

// Applies what was kept of earlier groups, and brings the bits of this one, which starts at word `group`.
__device__ __forceinline__ void bring_bits(const NmsChunk& chunk, DecidedBoxes& own, int group, const uint64_t* kept,
                                           GroupBits& here) {
  const int boxes = static_cast<int>(chunk.boxes()), size = static_cast<int>(chunk.size);
  for (int word = 0; word <= group; word += kDecisionWarps) {
    uint64_t bits[kDecisionWarps][2];
#pragma unroll
    for (int j = 0; j < kDecisionWarps; ++j)
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        const bool better = own.at[k] < boxes && (word + j) * kWord <= own.at[k];
        bits[j][k] = better ? chunk.bits[(word + j) * size + own.at[k]] : 0;
      }
#pragma unroll
    for (int j = 0; j < kDecisionWarps; ++j)
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        if (word < group) own.suppressors[k] |= bits[j][k] & kept[word + j];
        else here[j][k][threadIdx.x] = bits[j][k];
      }
  }
}

// One block. `keep` and `selected` as in NmsArgs.
__global__ void __launch_bounds__(kDecisionThreads, 1)
    decide_kernel(const NmsChunk chunk, const int64_t* order, const uint8_t* flags, bool* keep, int64_t* selected) {
  __shared__ uint64_t kept[kMostChunk / kWord];
  __shared__ GroupBits bits;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, words = static_cast<int>(chunk.words());
  int64_t total = chunk.first == 0 ? 0 : *chunk.kept_count;
  if (threadIdx.x == 0) *chunk.kept_before = total;
  for (int group = 0; group < words; group += kDecisionWarps) {
    const int more = words - group < kDecisionWarps ? words - group : kDecisionWarps;
    DecidedBoxes own(chunk, order, flags, group + warp);
    bring_bits(chunk, own, group, kept, bits);
    for (int j = 0; j < more; ++j) {
      if (warp == j) {
        const bool low = own.open[0] && own.suppressors[0] == 0, high = own.open[1] && own.suppressors[1] == 0;
        const uint64_t now = decide_word(low, high, bits[j][0][threadIdx.x], bits[j][1][threadIdx.x]);
        if (lane == 0) kept[group + j] = now;
      }
      __syncthreads();
#pragma unroll
      for (int k = 0; k < 2; ++k) own.suppressors[k] |= bits[j][k][threadIdx.x] & kept[group + j];
    }
    int64_t before = total;  // kept boxes before those of this warp
    for (int j = 0; j < more; ++j) {
      const int n = __popcll(kept[group + j]);
      before += j < warp ? n : 0;
      total += n;
    }
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      if (own.at[k] >= chunk.boxes()) continue;
      const uint64_t now = kept[group + warp];
      const bool is_kept = now >> (32 * k + lane) & 1;
      keep[own.index[k]] = is_kept;
      if (!is_kept) continue;
      const int64_t slot = before + __popcll(now & first_bits(32 * k + lane));
      selected[slot] = own.index[k];
      chunk.rank_of[slot] = chunk.first + own.at[k];
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
