// Arithmetic with a direction of rounding, and what floats and doubles share.
#pragma once
#include <cmath>

#include "lanes.h"

namespace machine {

enum class Rounding : uint8_t { nearest, down, up, zero };

// a * b + c, rounded once; a sum is a case of it.
float fused(float a, float b, float c, Rounding r);
double fused(double a, double b, double c, Rounding r);
double product(double a, double b, Rounding r);
// Rounds what is exact as a double or an integer to a float.
float narrowed(double x, Rounding r);
float narrowed(int64_t x, Rounding r);
float narrowed(uint64_t x, Rounding r);

// Numbers too small to be normal become zeros of their sign.
inline uint32_t flushed(uint32_t bits) { return (bits & 0x7f800000u) == 0 ? bits & 0x80000000u : bits; }

constexpr uint32_t kNaN = 0x7fffffffu;  // the one that float instructions make
inline uint32_t result_bits(float x) { return x == x ? bits_of(x) : kNaN; }

}  // namespace machine
