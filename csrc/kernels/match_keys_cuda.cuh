// Scores as integers that many blocks may raise at once: the largest is the same whatever comes first, so that matching
// gives the same answer in every run.
#pragma once
#include "max_iou.h"

namespace fastiou {

// A score and the index of the box that has it: ordered by score first, then by the lower index. 0 is less than the key
// of any score. A double leaves no room for an index in 64 bits: a second pass finds the index by the score.
using Key = unsigned long long;

// What a pass offers a gt as keys: score and index together, scores, or the indices that have the best score.
enum class Offer : int { both, score, index };

constexpr Key kNoIndex = 0xffffffffu;
FASTIOU_HD Key index_key(unsigned i) { return kNoIndex - i; }
FASTIOU_HD int64_t index_of(Key key) { return static_cast<int64_t>(kNoIndex - (key & kNoIndex)); }

// Returns an integer in the order of the numbers, and the number again.
template <Real T> FASTIOU_HD auto ordered(T x) {
  using Int = typename Bits<T>::Int;
  using Unsigned = std::make_unsigned_t<Int>;
  constexpr Int sign = Int(1) << (sizeof(Int) * 8 - 1);
  const Int bits = __builtin_bit_cast(Int, x + T(0));  // -0 is 0
  return static_cast<Unsigned>(bits < 0 ? ~bits : Int(bits ^ sign));
}
template <Real T> FASTIOU_HD T number_of(Key key) {
  using Int = typename Bits<T>::Int;
  constexpr Int sign = Int(1) << (sizeof(Int) * 8 - 1);
  const Int bits = static_cast<Int>(key);
  return __builtin_bit_cast(T, bits & sign ? Int(bits ^ sign) : Int(~bits));
}

template <Real T, Offer offer> FASTIOU_HD Key key_of(T score, unsigned i) {
  if constexpr (offer == Offer::both) return static_cast<Key>(ordered(score)) << 32 | index_key(i);
  else if constexpr (offer == Offer::score) return ordered(score);
  else return index_key(i);
}
// Returns the score of a key that is not 0.
template <Real T, Offer offer> FASTIOU_HD T score_of_key(Key key) {
  return number_of<T>(offer == Offer::both ? key >> 32 : key);
}

// Reads a key that others may raise meanwhile.
__device__ __forceinline__ Key look(const Key* p) {
#ifdef __CUDA_ARCH__
  Key key;
  asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(key) : "l"(p));
  return key;
#else
  return __atomic_load_n(p, __ATOMIC_RELAXED);
#endif
}
// Raises *p to a key. A look spares most atomics.
__device__ __forceinline__ void raise(Key* p, Key key) {
  if (key > look(p)) atomicMax(p, key);
}

// The largest and the least of a warp, in all its lanes. GPUs since 8.0 reduce 32-bit integers in one instruction.
__device__ __forceinline__ double warp_max(double x) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) x = max(__shfl_xor_sync(0xffffffffu, x, mask), x);
  return x;
}
__device__ __forceinline__ float warp_max(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  return number_of<float>(__reduce_max_sync(0xffffffffu, ordered(x)));
#else
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) x = max(__shfl_xor_sync(0xffffffffu, x, mask), x);
  return x;
#endif
}
template <Real T> __device__ __forceinline__ T warp_min(T x) { return -warp_max(-x); }
__device__ __forceinline__ unsigned warp_min(unsigned x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  return __reduce_min_sync(0xffffffffu, x);
#else
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) {
    const unsigned other = __shfl_xor_sync(0xffffffffu, x, mask);
    x = other < x ? other : x;
  }
  return x;
#endif
}

}  // namespace fastiou
