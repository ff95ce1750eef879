// Squares of numbers in vectors of 16 bytes, which every machine has: what is written here is what all clones of a loop
// do.
#pragma once
#include <cstdint>
#include <cstring>

#include "../math/scalar.h"

#define FASTIOU_INLINE inline __attribute__((always_inline))

// A vector of the numbers of two others: those of the first count from 0, those of the second go on.
#if defined(__has_builtin) && __has_builtin(__builtin_shufflevector)
#define FASTIOU_PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else  // GCC before 12; a comparison has the type of a vector of indices
#define FASTIOU_PICK(a, b, ...) __builtin_shuffle(a, b, decltype((a) < (b)){__VA_ARGS__})
#endif

namespace fastiou {

template <Real T> constexpr int kVec = 16 / sizeof(T);
template <Real T> struct VecOf { typedef T type __attribute__((vector_size(16))); };
template <Real T> using Vec = typename VecOf<T>::type;

template <Real T> FASTIOU_INLINE Vec<T> load_vec(const T* from) {
  Vec<T> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <Real T> FASTIOU_INLINE void store_vec(T* to, const Vec<T>& v) { std::memcpy(to, &v, sizeof v); }

FASTIOU_INLINE void transpose(Vec<float> (&v)[4]) {
  const Vec<float> ab01 = FASTIOU_PICK(v[0], v[1], 0, 4, 1, 5), ab23 = FASTIOU_PICK(v[0], v[1], 2, 6, 3, 7);
  const Vec<float> cd01 = FASTIOU_PICK(v[2], v[3], 0, 4, 1, 5), cd23 = FASTIOU_PICK(v[2], v[3], 2, 6, 3, 7);
  v[0] = FASTIOU_PICK(ab01, cd01, 0, 1, 4, 5), v[1] = FASTIOU_PICK(ab01, cd01, 2, 3, 6, 7);
  v[2] = FASTIOU_PICK(ab23, cd23, 0, 1, 4, 5), v[3] = FASTIOU_PICK(ab23, cd23, 2, 3, 6, 7);
}
FASTIOU_INLINE void transpose(Vec<double> (&v)[2]) {
  const Vec<double> first = FASTIOU_PICK(v[0], v[1], 0, 2);
  v[1] = FASTIOU_PICK(v[0], v[1], 1, 3), v[0] = first;
}

// Moves a square whose vectors lie `from` numbers apart to where they are to lie `to` numbers apart, transposed.
template <Real T> FASTIOU_INLINE void move_square(const T* src, int64_t from, T* dst, int64_t to) {
  Vec<T> v[kVec<T>];
  for (int k = 0; k < kVec<T>; ++k) v[k] = load_vec(src + k * from);
  transpose(v);
  for (int k = 0; k < kVec<T>; ++k) store_vec(dst + k * to, v[k]);
}

}  // namespace fastiou
