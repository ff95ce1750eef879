// Plain numbers, and the functions of them that formulas need. Nothing here branches or calls libm: loops over these
// functions vectorise.
#pragma once
#include <cstdint>
#include <limits>
#include <type_traits>

#ifdef __CUDACC__
#define FASTIOU_HD __host__ __device__ __forceinline__
#define FASTIOU_UNROLL _Pragma("unroll")
#define FASTIOU_UNROLL_ON_CPU _Pragma("unroll 1")  // a rolled loop takes fewer registers
#define FASTIOU_ANY_CALLABLE _Pragma("nv_exec_check_disable")  // what calls its argument, on the host or on the device
#else
#define FASTIOU_HD inline __attribute__((always_inline))
#define FASTIOU_UNROLL _Pragma("GCC unroll 16")
#define FASTIOU_UNROLL_ON_CPU FASTIOU_UNROLL
#define FASTIOU_ANY_CALLABLE
#endif

namespace fastiou {

template <class T>
concept Real = std::is_floating_point_v<T>;

// Constants, because device code may not call the functions of std::numeric_limits.
template <Real T> constexpr T kLargest = std::numeric_limits<T>::max();
template <Real T> constexpr T kSmallestNormal = std::numeric_limits<T>::min();
template <Real T> constexpr T kInfinity = std::numeric_limits<T>::infinity();

// NaN in b stays; NaN in a may be lost. On x86 this spelling is one instruction and the opposite one is three; GPUs
// have one that keeps both.
template <Real T> FASTIOU_HD T max(T a, T b) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  if constexpr (std::is_same_v<T, float>) {
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(a) : "f"(a), "f"(b));
    return a;
  }
#endif
  return a > b ? a : b;
}
template <Real T> FASTIOU_HD T min(T a, T b) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  if constexpr (std::is_same_v<T, float>) {
    asm("min.NaN.f32 %0, %1, %2;" : "=f"(a) : "f"(a), "f"(b));
    return a;
  }
#endif
  return a < b ? a : b;
}
template <Real T> FASTIOU_HD T abs(T a) {
#ifdef __CUDA_ARCH__
  return ::fabs(a);
#else
  if constexpr (std::is_same_v<T, float>) return __builtin_fabsf(a);
  else return __builtin_fabs(a);
#endif
}
template <Real T> FASTIOU_HD T clamp(T a, T lo, T hi) { return min(max(a, lo), hi); }
// x within +-limit; NaN stays.
template <Real T> FASTIOU_HD T bounded(T x, T limit) { return x > limit ? limit : (x < -limit ? -limit : x); }
template <Real T> FASTIOU_HD T relu(T a) { return a > 0 ? a : T(0); }
template <Real T> FASTIOU_HD T value(T a) { return a; }
template <Real T> FASTIOU_HD T times(double factor, T a) { return static_cast<T>(factor) * a; }  // by a literal

template <Real T> FASTIOU_HD T sqrt(T a) {
#ifdef __CUDA_ARCH__
  return ::sqrt(a);
#else
  if constexpr (std::is_same_v<T, float>) return __builtin_sqrtf(a);
  else return __builtin_sqrt(a);
#endif
}

// a * b, rounded on its own. Fused with a following add it would differ by an ulp from the same product elsewhere, and
// the IoU of a box with itself would not be exactly 1. (The CPU is compiled without contraction for the same reason.)
template <Real T> FASTIOU_HD T product(T a, T b) {
#ifdef __CUDA_ARCH__
  if constexpr (std::is_same_v<T, float>) return __fmul_rn(a, b);
  else return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

// 1 / x where both are normal, within an ulp on GPUs; infinity at 0.
template <Real T> FASTIOU_HD T reciprocal(T x) {
#ifdef __CUDA_ARCH__
  if constexpr (std::is_same_v<T, float>) {
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(x) : "f"(x));
    return x;
  }
#endif
  return T(1) / x;
}

#ifdef __CUDA_ARCH__
namespace detail {
// a / b, from r close to 1 / b: what the first guess leaves over, times r, is added to it. Within an ulp, and nearly
// always rounded as a / b is; a / a is exactly 1.
__device__ __forceinline__ float corrected_quotient(float a, float b, float r) {
  const float q = __fmul_rn(a, r);
  return __fmaf_rn(__fmaf_rn(-b, q, a), r, q);
}
}  // namespace detail
#endif

// a / b where b and the result are normal numbers, or a is 0. GPUs need four instructions for it; a division that is
// right everywhere takes ten.
template <Real T> FASTIOU_HD T quotient(T a, T b) {
#ifdef __CUDA_ARCH__
  if constexpr (std::is_same_v<T, float>) return detail::corrected_quotient(a, b, reciprocal(b));
#endif
  return a / b;
}

// a / b, and 0 where b is 0: an empty ratio has no pull. And 1 / b, likewise. GPUs take a float32 below the smallest
// normal number for 0, and one above 2^126 for infinity, because they flush reciprocals.
template <Real T> struct Ratio { T value, inverse; };
template <Real T> FASTIOU_HD Ratio<T> ratio(T a, T b) {
#ifdef __CUDA_ARCH__
  if constexpr (std::is_same_v<T, float>) {
    const T inverse = reciprocal(b), r = abs(b) >= kSmallestNormal<T> ? inverse : T(0);
    return {detail::corrected_quotient(a, b, r), r};
  }
#endif
  const bool ok = b != 0;
  const T d = ok ? b : T(1), q = a / d, r = T(1) / d;
  return {ok ? q : T(0), ok ? r : T(0)};
}
template <Real T> FASTIOU_HD T divide(T a, T b) { return ratio(a, b).value; }

// The bits of a float or double as an integer, and back.
template <class T> struct Bits;
template <> struct Bits<float> { using Int = int32_t; static constexpr int mantissa = 23, bias = 127; };
template <> struct Bits<double> { using Int = int64_t; static constexpr int mantissa = 52, bias = 1023; };

// Adding it rounds to an integer, which then stands in the low bits.
template <Real T> constexpr T kRoundingShift = T(typename Bits<T>::Int(3) << (Bits<T>::mantissa - 1));

// A power of two s with 1 <= x * s < 2 for any normal x > 0 (up to 4 for the largest, less than 1 for smaller x).
// Multiplying by it rounds nothing.
template <Real T> FASTIOU_HD T normalizer(T x) {
  using B = Bits<T>;
  using Int = typename B::Int;
  constexpr Int two_bias = Int(2 * B::bias) << B::mantissa, exponent = Int(2 * B::bias + 1) << B::mantissa;
  constexpr T largest = __builtin_bit_cast(T, Int(two_bias - (Int(1) << B::mantissa)));  // so that 1 / x is normal
  return __builtin_bit_cast(T, Int(two_bias - (__builtin_bit_cast(Int, min(x, largest)) & exponent)));
}

// c[0] * x^(n-1) + ... + c[n-1]
template <class T, int n> FASTIOU_HD T horner(T x, const T (&c)[n]) {
  T r = c[0];
  for (int i = 1; i < n; ++i) r = r * x + c[i];
  return r;
}

// atan(z), by Chebyshev fits: of (atan(z)/z - 1)/z^2 in z^2 for 0 <= z <= 1; in double of atan(z)/z for |z| <=
// tan(pi/8), because up to 1 it would take twice as many coefficients.
template <Real T> FASTIOU_HD T atan_small(T z) {
  const T s = z * z;
  if constexpr (std::is_same_v<T, float>) {
    constexpr T c[] = {0.00313387602f, -0.0172320027f, 0.0446375795f, -0.0767498836f,
                       0.107246988f,   -0.142262951f,  0.199956968f,  -0.33333239f};
    return z + z * s * horner(s, c);
  } else {
    constexpr T c[] = {0.015113765096513790577,
                       -0.03338782450111837725,
                       0.044995007289796098265,
                       -0.052173125740603818035,
                       0.058768340046139490825,
                       -0.066662052599765014495,
                       0.076922810999377412907,
                       -0.090909080590311909226,
                       0.11111111085322108756,
                       -0.14285714285329708164,
                       0.19999999999997013892,
                       -0.33333333333333324206,
                       1.0};
    return z * horner(s, c);
  }
}

// atan(lo / hi) for 0 <= lo <= hi, 0 for 0/0. In double it is turned by pi/8 where need be, so that atan_small()
// applies.
template <Real T> FASTIOU_HD T atan_within_octant(T lo, T hi) {
  if constexpr (std::is_same_v<T, float>) {
#ifdef __CUDA_ARCH__  // products of lengths may be no normal numbers, which divide() takes for 0
    const T scale = hi < T(0x1p-60) ? T(0x1p64) : T(1);
    lo *= scale, hi *= scale;
#endif
    return atan_small(divide(lo, hi));
  } else {
    constexpr T pi_4 = T(0.78539816339744830962), tan_pi_8 = T(0.41421356237309504880);
    const bool steep = lo > tan_pi_8 * hi;
    const T r = atan_small(divide(steep ? lo - hi : lo, steep ? lo + hi : hi));
    return steep ? r + pi_4 : r;
  }
}

// The angle of the vector (x, y) in (-pi, pi], 0 for (0, 0). Absolute error below 2 ulp of pi.
template <Real T> FASTIOU_HD T atan2(T y, T x) {
  constexpr T pi = T(3.14159265358979323846);
  const T a = abs(y), b = abs(x);
  T r = atan_within_octant(min(a, b), max(a, b));
  r = a > b ? pi / 2 - r : r;
  r = x < 0 ? pi - r : r;
  return y < 0 ? -r : r;
}

// atan(y1 / x1) - atan(y2 / x2) by one arctangent: the angle from (x2, y2) to (x1, y1), both turned to x >= 0.
// 0 if either is 0/0.
template <Real T> FASTIOU_HD T atan_difference(T y1, T x1, T y2, T x2) {
  const T y = product(y1, x2) - product(y2, x1), x = product(x1, x2) + product(y1, y2);
#ifdef __CUDA_ARCH__
  const bool turn = (x1 < 0) != (x2 < 0);
  return atan2(turn ? -y : y, turn ? -x : x);
#else
  const T sign = (x1 < 0 ? T(-1) : T(1)) * (x2 < 0 ? T(-1) : T(1));  // a comparison of bools would not vectorise
  return atan2(y * sign, x * sign);
#endif
}

// ln(x) for normal x > 0. x = 2^k m with m in [sqrt(1/2), sqrt(2)), ln m = 2 atanh((m - 1) / (m + 1));
// coefficients: Chebyshev fit of atanh(z)/z in z^2.
template <Real T> FASTIOU_HD T log(T x) {
  using B = Bits<T>;
  using Int = typename B::Int;
  using Unsigned = std::make_unsigned_t<Int>;
  constexpr T two_mantissa = T(Int(1) << B::mantissa), sqrt_half = T(0.70710678118654752440);
  constexpr Int one = __builtin_bit_cast(Int, T(1)), round_up = one - __builtin_bit_cast(Int, sqrt_half);
  const Int bits = __builtin_bit_cast(Int, x);
  const Int e = Int((Unsigned(bits) + Unsigned(round_up)) >> B::mantissa);  // k + bias; unsigned, for the bits of NaN
  // e as a number, by way of 2^mantissa + e: AVX2 cannot convert 64-bit integers.
  const T k = __builtin_bit_cast(T, Int(e | __builtin_bit_cast(Int, two_mantissa))) - (two_mantissa + T(B::bias));
  const T m = __builtin_bit_cast(T, Int(Unsigned(bits) - (Unsigned(e) << B::mantissa) + Unsigned(one)));
  const T z = quotient(m - 1, m + 1), s = z * z;
  T r;
  if constexpr (std::is_same_v<T, float>) {
    constexpr T c[] = {0.149621952f, 0.199874253f, 0.333334077f, 1.0f};
    r = z * horner(s, c);
  } else {
    constexpr T c[] = {0.066310518370378196879, 0.066243815417266919748, 0.076935804630672132693,
                       0.090908868690081481723, 0.11111111338464770206,  0.14285714284409563471,
                       0.20000000000003746966,  0.33333333333333329194,  1.0};
    r = z * horner(s, c);
  }
  return T(2) * r + k * T(0.69314718055994530942) + (x - x);  // the bits of NaN mean nothing above
}

// e^x as 2^k (1 + rest), with 2^k in two factors because k may lie outside the exponents of normal numbers. x = k ln 2
// + r with |r| <= ln(2) / 2; coefficients: Chebyshev fit of (e^r - 1 - r) / r^2.
template <Real T> struct Exponential { T rest, scale1, scale2; };
template <Real T> FASTIOU_HD Exponential<T> exponential(T x) {
  using B = Bits<T>;
  using Int = typename B::Int;
  constexpr bool single = std::is_same_v<T, float>;
  constexpr T lowest = single ? T(-104) : T(-746), highest = single ? T(89) : T(710);
  // ln 2 in two parts: k times the first is exact.
  constexpr T ln2_high = single ? T(0x1.62ep-1) : T(0x1.62e42feep-1);
  constexpr T ln2_low = single ? T(0x1.0bfbe8e7bcd5ep-15) : T(0x1.a39ef35793c76p-33);
  constexpr T shift = kRoundingShift<T>;
  x = min(highest, max(lowest, x));
  const T k = product(x, T(1.44269504088896340736)) + shift - shift;
  const T r = x - product(k, ln2_high) - k * ln2_low;
  T p;
  if constexpr (single) {
    constexpr T c[] = {0.0013933652f, 0.008363182f, 0.041666467f, 0.16666576f, 0.5f};
    p = horner(r, c);
  } else {
    constexpr T c[] = {1.3784705746213832e-09, 2.5228849572448813e-08, 2.757654586293009e-07, 2.7556958336593014e-06,
                       2.4801569318746482e-05, 0.00019841270109028036, 0.0013888888895643194, 0.008333333333259143,
                       0.04166666666665797,    0.1666666666666672,     0.5};
    p = horner(r, c);
  }
  const T half = k * T(0.5) + shift, rest = k - (half - shift) + shift;
  constexpr Int bias = Int(B::bias);
  const T scale1 = __builtin_bit_cast(T, Int((__builtin_bit_cast(Int, half) + bias) << B::mantissa));
  const T scale2 = __builtin_bit_cast(T, Int((__builtin_bit_cast(Int, rest) + bias) << B::mantissa));
  return {r + r * r * p, scale1, scale2};
}

// e^x with a relative error below one epsilon; 0 and infinity beyond the range.
template <Real T> FASTIOU_HD T exp(T x) {
  const Exponential<T> e = exponential(x);
  return (T(1) + e.rest) * e.scale1 * e.scale2;
}
// e^x - 1, also near 0.
template <Real T> FASTIOU_HD T expm1(T x) {
  const Exponential<T> e = exponential(x);
  return e.rest * e.scale1 * e.scale2 + (e.scale1 * e.scale2 - T(1));
}

// 2^x, with x kept between `least` and `most`, two exponents of normal numbers; a relative error of a few epsilon. GPUs
// have an instruction, to which 0 is as good as 2^least. Coefficients: Chebyshev fit of (2^r - 1) / r for |r| <= 1/2.
template <Real T> FASTIOU_HD T exp2_within(T least, T x, T most) {
  x = min(x, most);
#ifdef __CUDA_ARCH__
  if constexpr (std::is_same_v<T, float>) {
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(x) : "f"(x));
    return x;
  }
#endif
  x = max(x, least);
  using Int = typename Bits<T>::Int;
  const T shifted = x + kRoundingShift<T>, r = x - (shifted - kRoundingShift<T>);
  T p;
  if constexpr (std::is_same_v<T, float>) {
    constexpr T c[] = {0.00133908674f, 0.00966637369f, 0.055503571f, 0.240223489f, 0.693147188f};
    p = horner(r, c);
  } else {
    constexpr T c[] = {4.2983378788740422e-10, 7.07196814302161e-09, 1.017894503008326e-07, 1.3215445520135714e-06,
                        1.525273210203563e-05, 0.00015403530439276001, 0.001333355814780553,
                        0.0096181291076036634, 0.0555041086648176, 0.24022650695910125,
                        0.69314718055994518};
    p = horner(r, c);
  }
  const Int power = Int(std::make_unsigned_t<Int>(__builtin_bit_cast(Int, shifted)) << Bits<T>::mantissa);
  return __builtin_bit_cast(T, Int(__builtin_bit_cast(Int, T(1) + r * p) + power));
}

// ln(1 + x) for x > -1: the rounding of 1 + x is undone by what it did to x (Kahan).
template <Real T> FASTIOU_HD T log1p(T x) {
  const T u = T(1) + x, du = u - T(1);
  const T r = log(u) * (x / (du != 0 ? du : T(1)));
  return du != 0 ? r : x;
}

// x - ln r for r = 1 + x > 0, with a small relative error also near 0: 2 (z^3 / 3 + z^5 / 5 + ...) less than x z, where
// z = x / (2 + x) and ln r = 2 atanh(z).
template <Real T> FASTIOU_HD T minus_log(T x, T r) {
  const T z = quotient(x, T(2) + x), s = z * z;
  constexpr T c[] = {T(1) / 21, T(1) / 19, T(1) / 17, T(1) / 15, T(1) / 13,
                     T(1) / 11, T(1) / 9,  T(1) / 7,  T(1) / 5,  T(1) / 3};
  return abs(x) < T(0.25) ? z * (x - T(2) * s * horner(s, c)) : x - log(r);
}

// x^y for x >= 0 and y > 0; 0 at x = 0. An x below the smallest normal number counts as that.
// The relative error is about 1 + |y ln x| / 2 epsilon.
template <Real T> FASTIOU_HD T pow(T x, T y) {
  const T r = exp(y * log(max(kSmallestNormal<T>, x)));
  return x > 0 || x != x ? r : T(0);
}

}  // namespace fastiou
