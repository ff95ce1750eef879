// Values of a warp's 32 lanes, side by side, and loops over them that compilers vectorise.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

namespace machine {

constexpr unsigned kLanes = 32;
constexpr uint32_t kAll = 0xffffffffu;

template <class T> struct alignas(64) Lanes {
  T v[kLanes];
  T& operator[](unsigned lane) { return v[lane]; }
  const T& operator[](unsigned lane) const { return v[lane]; }
};
using Words = Lanes<uint32_t>;
using Wides = Lanes<uint64_t>;

// The same value in all lanes.
template <class T> inline void fill(Lanes<T>& out, T value) {
  for (unsigned l = 0; l < kLanes; ++l) out.v[l] = value;
}

// All ones in the lanes of a mask, 0 in the others.
inline void spread(Words& out, uint32_t mask) {
  for (unsigned l = 0; l < kLanes; ++l) out.v[l] = 0u - (mask >> l & 1u);
}

// The mask of the lanes whose value is not 0.
inline uint32_t gather(const Words& flags) {
  uint32_t mask = 0;
  for (unsigned l = 0; l < kLanes; ++l) mask |= (flags.v[l] != 0 ? 1u : 0u) << l;
  return mask;
}

// Calls f(lane) for the lanes of a mask, lowest first.
template <class F> inline void each_lane(uint32_t mask, F f) {
  for (; mask != 0; mask &= mask - 1) f(static_cast<unsigned>(std::countr_zero(mask)));
}

inline float as_float(uint32_t bits) { return std::bit_cast<float>(bits); }
inline double as_double(uint64_t bits) { return std::bit_cast<double>(bits); }
inline uint32_t bits_of(float x) { return std::bit_cast<uint32_t>(x); }
inline uint64_t bits_of(double x) { return std::bit_cast<uint64_t>(x); }

}  // namespace machine
