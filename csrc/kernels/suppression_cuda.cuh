// Suppression on CUDA, the pairs: which boxes suppress which.
//
// Boxes are decided in chunks, best first. Within a chunk every pair is a bit, because which of them count is not known
// yet. What a chunk has kept then strikes out later boxes: pairs whose better box is suppressed are never looked at,
// and of a later box no more than a bit is left.
//
// IoU in float takes 15 instructions a pair in the loop (sm_90): 14 of its own, and one because two pairs share the two
// loads of a better box. With what surrounds the loop they are 17, and 20 where there are classes. In the worst case,
// in which all boxes are kept, there are n^2 / 2 pairs. From counts, with 132 multiprocessors, 4 instructions a cycle
// of 1.755 GHz and 85 % of that: 0.13 ms for 20,000 boxes, 3.3 ms for 100,000. Memory is no limit: a block reads a box
// once for 256 pairs or more and writes a bit per pair of the chunk, 512 KiB that stay in the L2 cache.
#pragma once
#include "ranked_cuda.cuh"

namespace fastiou {

// Boxes of a thread. With two, what is read of a third box serves two pairs; most kinds compute long enough as it is.
template <class Kind> constexpr int kOwnBoxes = kIsQuotient<Kind> ? 2 : 1;

// Boxes [first, first + size) by rank, as far as there are boxes. Both numbers are multiples of kWord.
struct NmsChunk {
  int64_t count = 0;  // of all boxes
  int64_t first = 0, size = 0;
  uint64_t* bits = nullptr;        // (size / kWord, size): bit a of word w of box b: box 64 w + a suppresses it
  uint32_t* struck = nullptr;      // a bit for each of all boxes: whether earlier chunks suppress it
  int64_t* rank_of = nullptr;      // (count): the kept boxes of all chunks, best first
  int64_t* kept_count = nullptr;   // how many they are
  int64_t* kept_before = nullptr;  // how many they were before the last chunk that was decided

  FASTIOU_HD int64_t left() const { return count - first; }
  FASTIOU_HD int64_t boxes() const { return left() < size ? left() : size; }
  FASTIOU_HD int64_t words() const { return (boxes() + kWord - 1) / kWord; }
};

// A launch has a block for every word of the chunk and `rows` boxes of it, then a block for every kSlice of the chunk
// before and `rows` boxes from this chunk on.
struct SuppressionGrid {
  unsigned chunk_rows, all_rows, chunk_blocks, blocks;

  SuppressionGrid(const NmsChunk& c, int64_t rows)
      : chunk_rows(static_cast<unsigned>((c.boxes() + rows - 1) / rows)),
        all_rows(static_cast<unsigned>((c.left() + rows - 1) / rows)),
        chunk_blocks(chunk_rows * static_cast<unsigned>(c.words())),
        blocks(chunk_blocks + (c.first > 0 ? all_rows * static_cast<unsigned>((c.size + kSlice - 1) / kSlice) : 0)) {}
};

// What suppresses: an overlap beyond a threshold.
template <class Kind, Real T> struct SuppressionRule {
  PairOverlap<Kind, T> overlap;
  Threshold<T> threshold;

  explicit SuppressionRule(const NmsArgs& a) : overlap(a.overlap, a.in.boxes.format), threshold(a.threshold) {}

  // Whether `better`, if it is kept, suppresses `own`.
  __device__ __forceinline__ bool suppresses(const RankedBox<Kind, T>& better, const RankedBox<Kind, T>& own) const {
    if constexpr (kIsQuotient<Kind>) {
      const bool usual = better.flags & own.flags & kIsUsual;
      if (usual && !threshold.divides) return margin<Kind>(better.box, own.box, threshold) < 0;
    }
    return overlap(better, own) > threshold.at;
  }
};

// Moves a word up by the sign of x.
template <Real T> __device__ __forceinline__ uint32_t push_sign(uint32_t word, T x) {
  using Int = std::make_unsigned_t<typename Bits<T>::Int>;
  return word << 1 | static_cast<uint32_t>(__builtin_bit_cast(Int, x) >> (8 * sizeof(T) - 1));
}
// Returns which boxes of a tile suppress each own box, where all of them suit.
template <bool kDivides, bool kClasses, class Kind, Real T, int kOwn>
__device__ __forceinline__ void compare_usual(const RankedBox<Kind, T> (&tile)[kWord],
                                              const RankedBox<Kind, T> (&own)[kOwn],
                                              const SuppressionRule<Kind, T>& rule, uint64_t (&bits)[kOwn]) {
#pragma unroll 1
  for (int h = 0; h < 2; ++h) {
    uint32_t word[kOwn] = {};
#pragma unroll 8
    for (int c = 32 * h + 31; c >= 32 * h; --c) {
      const Ready<Kind, T> better = tile[c].box;
      const int32_t class_id = kClasses ? static_cast<int32_t>(tile[c].class_id) : 0;
#pragma unroll
      for (int o = 0; o < kOwn; ++o) {
        T m;
        if constexpr (kDivides) m = rule.threshold.at - rule.overlap.plain(better, own[o].box);
        else m = margin<Kind>(better, own[o].box, rule.threshold);
        if (kClasses && class_id != static_cast<int32_t>(own[o].class_id)) m = 0;
        word[o] = push_sign(word[o], m);
      }
    }
#pragma unroll
    for (int o = 0; o < kOwn; ++o) bits[o] = bits[o] >> 32 | static_cast<uint64_t>(word[o]) << 32;
  }
}

// Returns which of the boxes `asked` for suppress each own box, in the fastest way there is. `usual`: all of them suit.
template <class Kind, Real T, int kOwn>
__device__ __forceinline__ void compare(const RankedBox<Kind, T> (&tile)[kWord], const RankedBox<Kind, T> (&own)[kOwn],
                                        const SuppressionRule<Kind, T>& rule, bool usual, bool has_classes,
                                        const uint64_t (&asked)[kOwn], uint64_t (&bits)[kOwn]) {
  if constexpr (!kIsRotated<Kind>) {
    if (usual) {
      constexpr bool kDivides = !kIsQuotient<Kind>;
      if (kDivides || rule.threshold.divides) compare_usual<true, true>(tile, own, rule, bits);
      else if (has_classes) compare_usual<kDivides, true>(tile, own, rule, bits);
      else compare_usual<kDivides, false>(tile, own, rule, bits);
#pragma unroll
      for (int o = 0; o < kOwn; ++o) bits[o] &= asked[o];
      return;
    }
  }
#pragma unroll
  for (int o = 0; o < kOwn; ++o)
    for_partners(tile, own[o], rule.overlap, rule.threshold.at < 0, asked[o],
                 [&](int c) { bits[o] |= static_cast<uint64_t>(rule.suppresses(tile[c], own[o])) << c; });
}

// Returns a word of which other blocks set bits at the same time: relaxed, from the L2 cache, where their atomics are.
__device__ __forceinline__ uint32_t peek(const uint32_t* word) {
#ifdef __CUDA_ARCH__
  uint32_t seen;
  asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(__cvta_generic_to_global(word)));
  return seen;
#else
  return __atomic_load_n(word, __ATOMIC_RELAXED);
#endif
}

// Better boxes pass by in tiles of a word: one word of the chunk, or up to kSlice boxes that the chunk before has kept.
template <class Kind, Real T>
__global__ void __launch_bounds__(kPairThreads, kPairBlocks<Kind, T>)
    suppression_kernel(const RankedBoxes<KeptBox<Kind, T>> r, const NmsChunk chunk, const SuppressionGrid grid,
                       const __grid_constant__ SuppressionRule<Kind, T> rule) {
  constexpr int kOwn = kOwnBoxes<Kind>, kRows = kOwn * kPairThreads;
  __shared__ RankedBox<Kind, T> tile[kWord];
  const bool strikes = blockIdx.x >= grid.chunk_blocks;
  const unsigned block = strikes ? blockIdx.x - grid.chunk_blocks : blockIdx.x;
  const unsigned rows = strikes ? grid.all_rows : grid.chunk_rows;
  const int64_t part = block / rows, first_row = int64_t(block % rows) * kRows, row = first_row + threadIdx.x;
  // The own boxes are counted from the first of the chunk; the better ones too, or else among all that are kept.
  const int64_t begin = strikes ? *chunk.kept_before + part * kSlice : part * kWord;
  const int64_t left = (strikes ? *chunk.kept_count : first_row + kRows) - begin;
  if (left <= 0) return;
  const int most = strikes ? kSlice : kWord, betters = left < most ? static_cast<int>(left) : most;

  RankedBox<Kind, T> own[kOwn];
  bool suit = true, struck[kOwn] = {};
#pragma unroll
  for (int o = 0; o < kOwn; ++o) {
    const int64_t rank = chunk.first + row + o * kPairThreads;
    own[o] = load_ranked<Kind, T>(r, rank);
    suit = suit && own[o].suits();
    if (strikes && rank < r.count) struck[o] = peek(chunk.struck + rank / 32) >> (rank % 32) & 1;
  }
  for (int first = 0; first < betters; first += kWord) {
    RankedBox<Kind, T> better{};
    if (threadIdx.x < kWord) {
      const int i = first + static_cast<int>(threadIdx.x);
      if (i < betters) better = load_ranked<Kind, T>(r, strikes ? chunk.rank_of[begin + i] : chunk.first + begin + i);
      tile[threadIdx.x] = better;
    }
    const bool usual = __syncthreads_and(suit && better.suits());
    uint64_t asked[kOwn], bits[kOwn] = {}, any = 0;
#pragma unroll
    for (int o = 0; o < kOwn; ++o) {
      const int64_t worse = strikes ? betters - first : row + o * kPairThreads - begin;  // than so many of the tile
      asked[o] = struck[o] || !own[o].is_there() ? 0 : first_bits(worse);
      any |= asked[o];
    }
    if (__any_sync(0xffffffffu, any != 0)) compare(tile, own, rule, usual, r.classes != nullptr, asked, bits);
#pragma unroll
    for (int o = 0; o < kOwn; ++o) {
      const int64_t at = row + o * kPairThreads;
      if (strikes) struck[o] = struck[o] || bits[o] != 0;
      else if (at < chunk.boxes()) chunk.bits[part * chunk.size + at] = bits[o];
    }
    __syncthreads();  // all threads are done with the tile
  }
  if (!strikes) return;
#pragma unroll
  for (int o = 0; o < kOwn; ++o) {
    const uint32_t word = __ballot_sync(0xffffffffu, struck[o]);
    const int64_t rank = chunk.first + row + o * kPairThreads;
    if (threadIdx.x % 32 == 0 && word != 0) atomicOr(chunk.struck + rank / 32, word);
  }
}

}  // namespace fastiou
