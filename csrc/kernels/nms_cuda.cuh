// Greedy suppression on CUDA: a bit for every pair, rows of bits by many blocks, then the decisions by one. Nothing comes
// back to the host. The bits of all pairs of many boxes would not fit, so rows come in chunks, best boxes first; those
// that are suppressed already are skipped.
#pragma once
#include "ranked_cuda.cuh"

namespace fastiou {

constexpr int kWord = 64;                           // boxes per word of bits
constexpr int kWordsPerBlock = kNmsThreads / kWord;

// Rows [first, first + rows) of the bits; first is a multiple of kWord. Bit c of word w of a row says that box 64 w + c, a
// worse one, overlaps the box of the row beyond the threshold. Words left of the diagonal are not written.
struct SuppressionBits {
  int64_t first = 0, rows = 0, words = 0;
  uint64_t* bits = nullptr;     // (rows, words)
  uint64_t* removed = nullptr;  // (words): boxes suppressed so far; nothing yet where first is 0

  __device__ uint64_t* row(int64_t rank) const { return bits + (rank - first) * words; }
};

// A block compares 64 boxes with 256: a thread writes one word. blockIdx.y is the row of words, from `first` on.
template <class Kind, Real T>
__global__ void __launch_bounds__(kNmsThreads, kBlocksAtOnce<Kind, T>)
    suppression_kernel(const RankedBoxes<KeptBox<Kind, T>> r, const SuppressionBits s, const PairOverlap<Kind, T> overlap, const T threshold) {
  __shared__ RankedTile<KeptBox<Kind, T>> tile;
  const int64_t row_word = s.first / kWord + blockIdx.y;
  const int64_t first_word = s.first / kWord + static_cast<int64_t>(blockIdx.x) * kWordsPerBlock;
  if (first_word + kWordsPerBlock <= row_word) return;
  tile.load(r, first_word * kWord + threadIdx.x, threadIdx.x);
  __syncthreads();

  const int64_t rank = row_word * kWord + threadIdx.x % kWord, word = first_word + threadIdx.x / kWord;
  if (rank >= r.count || word < row_word || word >= s.words) return;
  uint64_t bits = 0;
  const bool gone = s.first > 0 && (s.removed[row_word] >> (rank % kWord) & 1);
  const uint8_t flags = r.flags[rank];
  if (!gone && flags & kIsThere) {
    const KeptBox<Kind, T> box = r.boxes[rank];
    const int64_t own = r.class_of(rank);
    const int at = static_cast<int>(threadIdx.x) / kWord * kWord;
    for (int c = 0; c < kWord; ++c) {
      const uint8_t other = tile.flags[at + c];
      if (word * kWord + c <= rank || !(other & kIsThere) || tile.classes[at + c] != own) continue;
      if (overlap(box, flags, tile.boxes[at + c], other) > threshold) bits |= uint64_t(1) << c;
    }
  }
  s.row(rank)[word] = bits;
}

// One block: decides 64 boxes after the other, then strikes out what they suppress. `rank_of` is by order of selection.
__global__ void __launch_bounds__(kOneBlock)
    decide_kernel(const SuppressionBits s, const int64_t count, const int64_t* order, const uint8_t* flags, bool* keep,
                  int64_t* selected, int64_t* rank_of, int64_t* kept_count) {
  __shared__ uint64_t diagonal[kWord];
  __shared__ bool there[kWord];
  __shared__ uint64_t kept;
  __shared__ int64_t kept_before;
  const int64_t last = s.first + s.rows < count ? s.first + s.rows : count;
  if (s.first == 0)
    for (int64_t w = threadIdx.x; w < s.words; w += blockDim.x) s.removed[w] = 0;
  int64_t total = s.first == 0 ? 0 : *kept_count;
  __syncthreads();
  for (int64_t begin = s.first; begin < last; begin += kWord) {
    const int64_t word = begin / kWord, rank = begin + threadIdx.x;
    if (threadIdx.x < kWord) {
      there[threadIdx.x] = rank < last && (flags[rank] & kIsThere);
      diagonal[threadIdx.x] = rank < last ? s.row(rank)[word] : 0;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      uint64_t gone = s.removed[word], chosen = 0;
      for (int b = 0; b < kWord; ++b) {
        if (!there[b] || gone >> b & 1) continue;
        chosen |= uint64_t(1) << b;
        gone |= diagonal[b];
      }
      kept = chosen;
      kept_before = total;
    }
    __syncthreads();
    const uint64_t chosen = kept;
    total = kept_before + __popcll(chosen);
    if (threadIdx.x < kWord && rank < last) {
      const bool is_kept = chosen >> threadIdx.x & 1;
      const int64_t index = order[rank];
      keep[index] = is_kept;
      if (is_kept) {
        const int64_t slot = kept_before + __popcll(chosen & ((uint64_t(1) << threadIdx.x) - 1));
        selected[slot] = index;
        rank_of[slot] = rank;
      }
    }
    for (int64_t w = word + 1 + threadIdx.x; w < s.words; w += blockDim.x) {
      uint64_t gone = s.removed[w];
#pragma unroll 8
      for (int b = 0; b < kWord; ++b)  // without a branch in the way, several loads are on their way at once
        gone |= chosen >> b & 1 ? s.row(begin + b)[w] : 0;
      s.removed[w] = gone;
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) *kept_count = total;
  if (last == count)
    for (int64_t i = total + threadIdx.x; i < count; i += blockDim.x) selected[i] = -1;
}

// A warp per selected box: its mean with the boxes that it suppresses, in a fixed order.
template <class Kind, Real T>
__global__ void __launch_bounds__(kNmsThreads)
    merge_kernel(const __grid_constant__ NmsArgs a, const RankedBoxes<Box<T>> r, const int64_t* rank_of,
                 const PairOverlap<Kind, T> overlap, const T threshold) {
  const int64_t slot = (static_cast<int64_t>(blockIdx.x) * kNmsThreads + threadIdx.x) / 32;
  const int lane = threadIdx.x % 32;
  if (slot >= r.count) return;
  T* const out = static_cast<T*>(a.merged) + 4 * slot;
  if (slot >= *a.kept_count) {
    if (lane < 4) out[lane] = 0;
    return;
  }
  const int64_t rank = rank_of[slot];
  const Box<T> box = r.boxes[rank];
  const uint8_t flags = r.flags[rank];
  const int64_t own = r.class_of(rank);
  MergedBox sum;
  if (lane == 0) sum.add(a.in, r.index(rank), 1);
  for (int64_t other = rank + 1 + lane; other < r.count; other += 32) {
    const uint8_t other_flags = r.flags[other];
    if (!(other_flags & kIsThere) || r.class_of(other) != own) continue;
    const T score = overlap(box, flags, r.boxes[other], other_flags);
    if (score > threshold) sum.add(a.in, r.index(other), static_cast<double>(score));
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    sum.weight += __shfl_down_sync(0xffffffffu, sum.weight, offset);
    for (int k = 0; k < 4; ++k) sum.sum[k] += __shfl_down_sync(0xffffffffu, sum.sum[k], offset);
  }
  if (lane == 0)
    for (int k = 0; k < 4; ++k) out[k] = static_cast<T>(sum.mean(a.in, r.index(rank), k));
}

}  // namespace fastiou
