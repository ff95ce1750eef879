// Scalars that formulas are written over: float, double, and Dual numbers of either.
//
// A Dual carries a value and its N partial derivatives, so a formula written once gives the loss and its gradient
// (forward-mode automatic differentiation: Griewank & Walther, "Evaluating Derivatives", ch. 3). Every derivative rule
// of the library stands in this file. Nothing here branches or calls libm: loops over these functions vectorise.
#pragma once
#include <cstdint>
#include <limits>
#include <type_traits>

#ifdef __CUDACC__
#define FASTIOU_HD __host__ __device__ __forceinline__
#define FASTIOU_UNROLL _Pragma("unroll")
#else
#define FASTIOU_HD inline __attribute__((always_inline))
#define FASTIOU_UNROLL _Pragma("GCC unroll 8")
#endif

namespace fastiou {

// ------------------------------------------------------------------------------------------------ plain numbers
template <class T>
concept Real = std::is_floating_point_v<T>;

// Constants, because device code may not call the functions of std::numeric_limits.
template <Real T> constexpr T kLargest = std::numeric_limits<T>::max();
template <Real T> constexpr T kSmallestNormal = std::numeric_limits<T>::min();
template <Real T> constexpr T kInfinity = std::numeric_limits<T>::infinity();

// NaN in b stays; NaN in a may be lost. On x86 this spelling is one instruction and the opposite one is three; GPUs have
// one that keeps both.
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
template <Real T> FASTIOU_HD T abs(T a) { return a < 0 ? -a : a; }
template <Real T> FASTIOU_HD T relu(T a) { return a > 0 ? a : T(0); }
template <Real T> FASTIOU_HD T value(T a) { return a; }

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

// a / b, and 0 where b is 0: an empty ratio has no pull.
template <Real T> FASTIOU_HD T divide(T a, T b) {
  const bool ok = b != 0;
  const T r = a / (ok ? b : T(1));
  return ok ? r : T(0);
}

// The bits of a float or double as an integer, and back.
template <class T> struct Bits;
template <> struct Bits<float> { using Int = int32_t; static constexpr int mantissa = 23, bias = 127; };
template <> struct Bits<double> { using Int = int64_t; static constexpr int mantissa = 52, bias = 1023; };

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

// atan(z) for |z| <= tan(pi/8), by a Chebyshev fit of atan(z)/z in z^2.
template <Real T> FASTIOU_HD T atan_small(T z) {
  const T s = z * z;
  if constexpr (std::is_same_v<T, float>) {
    constexpr T c[] = {-0.0602630523f, 0.105698288f, -0.142395327f, 0.19998183f, -0.333333069f, 1.0f};
    return z * horner(s, c);
  } else {
    constexpr T c[] = {0.015113765096513790577, -0.03338782450111837725, 0.044995007289796098265, -0.052173125740603818035,
                       0.058768340046139490825, -0.066662052599765014495, 0.076922810999377412907,
                       -0.090909080590311909226, 0.11111111085322108756, -0.14285714285329708164, 0.19999999999997013892,
                       -0.33333333333333324206, 1.0};
    return z * horner(s, c);
  }
}

// The angle of the vector (x, y) in (-pi, pi], 0 for (0, 0). Absolute error below 2 ulp of pi.
// |y| and |x| are ordered and turned by pi/8 so that atan_small() applies.
template <Real T> FASTIOU_HD T atan2(T y, T x) {
  constexpr T pi = T(3.14159265358979323846), tan_pi_8 = T(0.41421356237309504880);
  const T a = abs(y), b = abs(x), lo = min(a, b), hi = max(a, b);
  const bool steep = lo > tan_pi_8 * hi;
  T r = atan_small(divide(steep ? lo - hi : lo, steep ? lo + hi : hi));
  r = steep ? r + pi / 4 : r;
  r = a > b ? pi / 2 - r : r;
  r = x < 0 ? pi - r : r;
  return y < 0 ? -r : r;
}

// atan(y1 / x1) - atan(y2 / x2) by one arctangent: the angle from (x2, y2) to (x1, y1), both turned to x >= 0.
// 0 if either is 0/0.
template <Real T> FASTIOU_HD T atan_difference(T y1, T x1, T y2, T x2) {
  const T sign = (x1 < 0 ? T(-1) : T(1)) * (x2 < 0 ? T(-1) : T(1));  // a comparison of bools would not vectorise
  return atan2((product(y1, x2) - product(y2, x1)) * sign, (product(x1, x2) + product(y1, y2)) * sign);
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
  const T z = (m - 1) / (m + 1), s = z * z;
  T r;
  if constexpr (std::is_same_v<T, float>) {
    constexpr T c[] = {0.149621952f, 0.199874253f, 0.333334077f, 1.0f};
    r = z * horner(s, c);
  } else {
    constexpr T c[] = {0.066310518370378196879, 0.066243815417266919748, 0.076935804630672132693, 0.090908868690081481723,
                       0.11111111338464770206, 0.14285714284409563471, 0.20000000000003746966, 0.33333333333333329194, 1.0};
    r = z * horner(s, c);
  }
  return T(2) * r + k * T(0.69314718055994530942) + (x - x);  // the bits of NaN mean nothing above
}

// e^x with a relative error below one epsilon; 0 and infinity beyond the range. x = k ln 2 + r with |r| <= ln(2) / 2;
// coefficients: Chebyshev fit of (e^r - 1 - r) / r^2.
template <Real T> FASTIOU_HD T exp(T x) {
  using B = Bits<T>;
  using Int = typename B::Int;
  constexpr bool single = std::is_same_v<T, float>;
  constexpr T lowest = single ? T(-104) : T(-746), highest = single ? T(89) : T(710);
  // ln 2 in two parts: k times the first is exact.
  constexpr T ln2_high = single ? T(0x1.62ep-1) : T(0x1.62e42feep-1);
  constexpr T ln2_low = single ? T(0x1.0bfbe8e7bcd5ep-15) : T(0x1.a39ef35793c76p-33);
  // Adding it rounds to an integer, which then stands in the low bits.
  constexpr T shift = T(Int(3) << (B::mantissa - 1));
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
  // 2^k in two factors, because k may lie outside the exponents of normal numbers.
  const T half = k * T(0.5) + shift, rest = k - (half - shift) + shift;
  constexpr Int bias = Int(B::bias);
  const T scale1 = __builtin_bit_cast(T, Int((__builtin_bit_cast(Int, half) + bias) << B::mantissa));
  const T scale2 = __builtin_bit_cast(T, Int((__builtin_bit_cast(Int, rest) + bias) << B::mantissa));
  return (T(1) + (r + r * r * p)) * scale1 * scale2;
}

// x^y for x >= 0 and y > 0; 0 at x = 0. An x below the smallest normal number counts as that.
// The relative error is about 1 + |y ln x| / 2 epsilon.
template <Real T> FASTIOU_HD T pow(T x, T y) {
  const T r = exp(y * log(max(kSmallestNormal<T>, x)));
  return x > 0 || x != x ? r : T(0);
}

// ------------------------------------------------------------------------------------------------- dual numbers
// A value and its partial derivatives with respect to N variables. `mask` tells which of them can differ from 0: bit i
// for variable i. The width of a box depends on x1 and x2 alone, and half of all products with derivatives would be
// products with 0, which a compiler must carry out (0 * NaN is NaN); with the mask in the type they do not exist.
template <Real T, int N, unsigned mask> struct Dual {
  T v;
  T d[N];  // 0 where mask has no bit
};

// The i-th of N independent variables.
template <int N, int i, Real T> FASTIOU_HD Dual<T, N, 1u << i> variable(T value) {
  Dual<T, N, 1u << i> r;
  r.v = value;
  FASTIOU_UNROLL
  for (int k = 0; k < N; ++k) r.d[k] = k == i ? T(1) : T(0);
  return r;
}

namespace detail {

// 1 if a is larger, 0 if b is, 1/2 at a tie: a sum of two selects, because nested ones turn into branches.
template <Real T> FASTIOU_HD T share_of_larger(T a, T b) { return (a > b ? T(0.5) : T(0)) + (a >= b ? T(0.5) : T(0)); }

// The dual with the given value and partials da * a' + db * b'. The loops unroll and the tests vanish.
template <Real T, int N, unsigned A, unsigned B>
FASTIOU_HD Dual<T, N, A | B> chain(T value, T da, const Dual<T, N, A>& a, T db, const Dual<T, N, B>& b) {
  Dual<T, N, A | B> r;
  r.v = value;
  FASTIOU_UNROLL
  for (int i = 0; i < N; ++i) {
    if (A & B & 1u << i) r.d[i] = da * a.d[i] + db * b.d[i];
    else if (A & 1u << i) r.d[i] = da * a.d[i];
    else if (B & 1u << i) r.d[i] = db * b.d[i];
    else r.d[i] = 0;
  }
  return r;
}
template <Real T, int N, unsigned A> FASTIOU_HD Dual<T, N, A> chain(T value, T da, const Dual<T, N, A>& a) {
  Dual<T, N, A> r;
  r.v = value;
  FASTIOU_UNROLL
  for (int i = 0; i < N; ++i) r.d[i] = A & 1u << i ? da * a.d[i] : T(0);
  return r;
}

}  // namespace detail

#define FASTIOU_UNARY template <Real T, int N, unsigned A> FASTIOU_HD auto
#define FASTIOU_BINARY template <Real T, int N, unsigned A, unsigned B> FASTIOU_HD auto
#define FASTIOU_A const Dual<T, N, A>& a
#define FASTIOU_B const Dual<T, N, B>& b
#define FASTIOU_NUMBER std::type_identity_t<T>

template <Real T, int N, unsigned A> FASTIOU_HD T value(FASTIOU_A) { return a.v; }

FASTIOU_UNARY operator-(FASTIOU_A) { return detail::chain(-a.v, T(-1), a); }
FASTIOU_BINARY operator+(FASTIOU_A, FASTIOU_B) { return detail::chain(a.v + b.v, T(1), a, T(1), b); }
FASTIOU_BINARY operator-(FASTIOU_A, FASTIOU_B) { return detail::chain(a.v - b.v, T(1), a, T(-1), b); }
FASTIOU_BINARY product(FASTIOU_A, FASTIOU_B) { return detail::chain(product(a.v, b.v), b.v, a, a.v, b); }
FASTIOU_BINARY divide(FASTIOU_A, FASTIOU_B) {  // (a/b)' = (a' - (a/b) b') / b
  const T r = divide(a.v, b.v);
  return detail::chain(r, divide(T(1), b.v), detail::chain(a.v, T(1), a, -r, b));
}
// 0 at 0: boxes that only touch do not pull each other.
FASTIOU_UNARY relu(FASTIOU_A) { return detail::chain(relu(a.v), a.v > 0 ? T(1) : T(0), a); }
// At a tie the mean of both sides, as torch.maximum.
FASTIOU_BINARY max(FASTIOU_A, FASTIOU_B) {
  const T w = detail::share_of_larger(a.v, b.v);
  return detail::chain(max(a.v, b.v), w, a, T(1) - w, b);
}
FASTIOU_BINARY min(FASTIOU_A, FASTIOU_B) {
  const T w = detail::share_of_larger(b.v, a.v);
  return detail::chain(min(a.v, b.v), w, a, T(1) - w, b);
}
FASTIOU_UNARY log(FASTIOU_A) { return detail::chain(log(a.v), T(1) / a.v, a); }
FASTIOU_UNARY exp(FASTIOU_A) {
  const T r = exp(a.v);
  return detail::chain(r, r, a);
}

namespace detail {
// d atan(y / x) = (x y' - y x') / (x^2 + y^2), 0 at 0/0.
FASTIOU_BINARY atan_ratio(T value, T sign, FASTIOU_A, FASTIOU_B) {
  const T q = divide(sign, a.v * a.v + b.v * b.v);
  return chain(value, q * b.v, a, -(q * a.v), b);
}
}  // namespace detail

template <Real T, int N, unsigned A, unsigned B, unsigned C, unsigned D>
FASTIOU_HD auto atan_difference(FASTIOU_A, FASTIOU_B, const Dual<T, N, C>& c, const Dual<T, N, D>& d) {
  const T r = atan_difference(a.v, b.v, c.v, d.v);
  return detail::atan_ratio(r, T(1), a, b) + detail::atan_ratio(T(0), T(-1), c, d);
}
FASTIOU_BINARY atan_difference(FASTIOU_NUMBER y, FASTIOU_NUMBER x, FASTIOU_A, FASTIOU_B) {
  return detail::atan_ratio(atan_difference(y, x, a.v, b.v), T(-1), a, b);
}

// A number among duals is a constant.
FASTIOU_UNARY operator+(FASTIOU_A, FASTIOU_NUMBER b) { return detail::chain(a.v + b, T(1), a); }
FASTIOU_UNARY operator+(FASTIOU_NUMBER b, FASTIOU_A) { return detail::chain(a.v + b, T(1), a); }
FASTIOU_UNARY operator-(FASTIOU_A, FASTIOU_NUMBER b) { return detail::chain(a.v - b, T(1), a); }
FASTIOU_UNARY operator-(FASTIOU_NUMBER b, FASTIOU_A) { return detail::chain(b - a.v, T(-1), a); }
FASTIOU_UNARY operator*(FASTIOU_A, FASTIOU_NUMBER b) { return detail::chain(a.v * b, b, a); }
FASTIOU_UNARY operator*(FASTIOU_NUMBER b, FASTIOU_A) { return detail::chain(a.v * b, b, a); }
FASTIOU_UNARY max(FASTIOU_NUMBER b, FASTIOU_A) {
  return detail::chain(max(b, a.v), detail::share_of_larger(a.v, b), a);
}
FASTIOU_UNARY max(FASTIOU_A, FASTIOU_NUMBER b) { return max(b, a); }
FASTIOU_UNARY min(FASTIOU_NUMBER b, FASTIOU_A) {
  return detail::chain(min(b, a.v), detail::share_of_larger(b, a.v), a);
}
FASTIOU_UNARY min(FASTIOU_A, FASTIOU_NUMBER b) { return min(b, a); }

#undef FASTIOU_UNARY
#undef FASTIOU_BINARY
#undef FASTIOU_A
#undef FASTIOU_B
#undef FASTIOU_NUMBER

template <class S> FASTIOU_HD auto square(const S& a) { return product(a, a); }

// The value alone: a stop-gradient, visible where a formula has one.
template <class S> FASTIOU_HD auto detach(const S& a) { return value(a); }

}  // namespace fastiou
