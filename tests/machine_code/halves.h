// The two formats of 16 bits, as a double can hold them exactly.
#pragma once
#include <cmath>
#include <cstdint>

#include "lanes.h"

namespace machine {

struct Format {
  int digits;  // of the significand, with the one that is not stored
  int least;   // exponent of the smallest normal number
  int most;    // exponent of the largest
};
constexpr Format kHalf{11, -14, 15}, kBrain{8, -126, 127};

// Rounds to nearest, ties to even. NaN becomes the one that instructions make.
inline uint16_t narrow(double x, Format f) {
  if (x != x) return 0x7fff;
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const uint32_t infinity = static_cast<uint32_t>(f.most - f.least + 2) << (f.digits - 1);
  x = std::fabs(x);
  if (x == 0) return sign;
  if (std::isinf(x)) return static_cast<uint16_t>(sign | infinity);
  const int exponent = std::ilogb(x), scale = exponent < f.least ? f.least : exponent;
  const auto units = static_cast<uint32_t>(std::nearbyint(std::scalbn(x, f.digits - 1 - scale)));
  const uint32_t bits = (static_cast<uint32_t>(scale - f.least) << (f.digits - 1)) + units;
  return static_cast<uint16_t>(sign | (bits < infinity ? bits : infinity));
}

inline float widen_half(uint16_t h) {
  const uint32_t rest = h & 0x7fffu, sign = (h & 0x8000u) << 16;
  const float x = as_float(rest << 13) * 0x1p112f;  // the exponent's bias differs by 112
  const uint32_t bits = rest >= 0x7c00u ? rest << 13 | 0x7f800000u : bits_of(x);
  return as_float(bits | sign);
}
inline float widen_brain(uint16_t b) { return as_float(uint32_t(b) << 16); }
inline float widen(uint16_t bits, bool brain) { return brain ? widen_brain(bits) : widen_half(bits); }
inline uint16_t narrow(double x, bool brain) { return narrow(x, brain ? kBrain : kHalf); }

// a * b + c of numbers of 16 bits: the sum as a double with its last bit set where it is not exact, so that rounding it
// again rounds but once.
inline double fused_to_odd(double a, double b, double c) {
  const double p = a * b, s = p + c, other = s - p, error = (p - (s - other)) + (c - other);
  if (error == 0 || error != error || std::isinf(s)) return s;
  const uint64_t bits = bits_of(s);
  if (bits & 1) return s;
  return as_double((error > 0) == (s > 0) ? bits + 1 : bits - 1);
}

}  // namespace machine
