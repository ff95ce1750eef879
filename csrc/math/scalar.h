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
#else
#define FASTIOU_HD inline __attribute__((always_inline))
#endif

namespace fastiou {

// ------------------------------------------------------------------------------------------------ plain numbers
template <class T>
concept Real = std::is_floating_point_v<T>;

// Constants, because device code may not call the functions of std::numeric_limits.
template <Real T> constexpr T kLargest = std::numeric_limits<T>::max();
template <Real T> constexpr T kSmallestNormal = std::numeric_limits<T>::min();

template <Real T> FASTIOU_HD T max(T a, T b) { return a > b ? a : b; }
template <Real T> FASTIOU_HD T min(T a, T b) { return a < b ? a : b; }
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

// A power of two s with 1 <= x * s < 4 for any normal x > 0 (x * s < 1 below). Multiplying by it rounds nothing.
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

// atan(y / x): +-pi/2 at x = 0, and 0 at 0/0. Absolute error below 2 ulp of pi/2.
// |y| and |x| are ordered and rotated by pi/8 so that the series in z = tan(angle) sees |z| <= tan(pi/8) only;
// coefficients: Chebyshev fit of atan(z)/z in z^2.
template <Real T> FASTIOU_HD T atan_ratio(T y, T x) {
  constexpr T pi = T(3.14159265358979323846), tan_pi_8 = T(0.41421356237309504880);
  const T a = abs(y), b = abs(x), lo = min(a, b), hi = max(a, b);
  const bool steep = lo > tan_pi_8 * hi;
  const T z = divide(steep ? lo - hi : lo, steep ? lo + hi : hi), s = z * z;
  T r;
  if constexpr (std::is_same_v<T, float>) {
    constexpr T c[] = {-0.0602630523f, 0.105698288f, -0.142395327f, 0.19998183f, -0.333333069f, 1.0f};
    r = z * horner(s, c);
  } else {
    constexpr T c[] = {0.015113765096513790577, -0.03338782450111837725, 0.044995007289796098265, -0.052173125740603818035,
                       0.058768340046139490825, -0.066662052599765014495, 0.076922810999377412907,
                       -0.090909080590311909226, 0.11111111085322108756, -0.14285714285329708164, 0.19999999999997013892,
                       -0.33333333333333324206, 1.0};
    r = z * horner(s, c);
  }
  r = steep ? r + pi / 4 : r;
  r = a > b ? pi / 2 - r : r;
  return (y < 0) != (x < 0) ? -r : r;
}

// ln(x) for normal x > 0. x = 2^k m with m in [sqrt(1/2), sqrt(2)), ln m = 2 atanh((m - 1) / (m + 1));
// coefficients: Chebyshev fit of atanh(z)/z in z^2.
template <Real T> FASTIOU_HD T log(T x) {
  using B = Bits<T>;
  using Int = typename B::Int;
  constexpr T two_mantissa = T(Int(1) << B::mantissa), sqrt_half = T(0.70710678118654752440);
  constexpr Int one = __builtin_bit_cast(Int, T(1)), round_up = one - __builtin_bit_cast(Int, sqrt_half);
  const Int bits = __builtin_bit_cast(Int, x);
  const Int e = Int(std::make_unsigned_t<Int>(bits + round_up) >> B::mantissa);  // k + bias
  // e as a number, by way of 2^mantissa + e: AVX2 cannot convert 64-bit integers.
  const T k = __builtin_bit_cast(T, Int(e | __builtin_bit_cast(Int, two_mantissa))) - (two_mantissa + T(B::bias));
  const T m = __builtin_bit_cast(T, Int(bits - (e << B::mantissa) + one));
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
  return T(2) * r + k * T(0.69314718055994530942);
}

// ------------------------------------------------------------------------------------------------- dual numbers
template <Real T, int N> struct Dual {
  T v;
  T d[N];
  Dual() = default;
  FASTIOU_HD Dual(T c) : v(c) {
    for (int i = 0; i < N; ++i) d[i] = 0;
  }
  // The k-th independent variable: d/dx_k = 1.
  FASTIOU_HD static Dual variable(T c, int k) {
    Dual r(c);
    r.d[k] = 1;
    return r;
  }
};

#define FASTIOU_DUAL template <Real T, int N> FASTIOU_HD Dual<T, N>
#define FASTIOU_EACH for (int i = 0; i < N; ++i)

template <Real T, int N> FASTIOU_HD T value(const Dual<T, N>& a) { return a.v; }

FASTIOU_DUAL operator-(const Dual<T, N>& a) {
  Dual<T, N> r;
  r.v = -a.v;
  FASTIOU_EACH r.d[i] = -a.d[i];
  return r;
}
FASTIOU_DUAL operator+(const Dual<T, N>& a, const Dual<T, N>& b) {
  Dual<T, N> r;
  r.v = a.v + b.v;
  FASTIOU_EACH r.d[i] = a.d[i] + b.d[i];
  return r;
}
FASTIOU_DUAL operator-(const Dual<T, N>& a, const Dual<T, N>& b) {
  Dual<T, N> r;
  r.v = a.v - b.v;
  FASTIOU_EACH r.d[i] = a.d[i] - b.d[i];
  return r;
}
FASTIOU_DUAL product(const Dual<T, N>& a, const Dual<T, N>& b) {  // (ab)' = a b' + a' b
  Dual<T, N> r;
  r.v = product(a.v, b.v);
  FASTIOU_EACH r.d[i] = a.v * b.d[i] + a.d[i] * b.v;
  return r;
}
FASTIOU_DUAL divide(const Dual<T, N>& a, const Dual<T, N>& b) {  // (a/b)' = (a' - (a/b) b') / b
  Dual<T, N> r;
  const T q = divide(T(1), b.v);
  r.v = divide(a.v, b.v);
  FASTIOU_EACH r.d[i] = (a.d[i] - r.v * b.d[i]) * q;
  return r;
}
FASTIOU_DUAL relu(const Dual<T, N>& a) {  // 0 at 0: boxes that only touch do not pull each other
  Dual<T, N> r;
  const T w = a.v > 0 ? T(1) : T(0);
  r.v = relu(a.v);
  FASTIOU_EACH r.d[i] = w * a.d[i];
  return r;
}
FASTIOU_DUAL max(const Dual<T, N>& a, const Dual<T, N>& b) {  // at a tie the mean of both sides, as torch.maximum
  Dual<T, N> r;
  const T w = a.v > b.v ? T(1) : (a.v < b.v ? T(0) : T(0.5));
  r.v = max(a.v, b.v);
  FASTIOU_EACH r.d[i] = w * a.d[i] + (T(1) - w) * b.d[i];
  return r;
}
FASTIOU_DUAL min(const Dual<T, N>& a, const Dual<T, N>& b) {
  Dual<T, N> r;
  const T w = a.v < b.v ? T(1) : (a.v > b.v ? T(0) : T(0.5));
  r.v = min(a.v, b.v);
  FASTIOU_EACH r.d[i] = w * a.d[i] + (T(1) - w) * b.d[i];
  return r;
}
FASTIOU_DUAL atan_ratio(const Dual<T, N>& y, const Dual<T, N>& x) {  // (x y' - y x') / (x^2 + y^2), 0 at 0/0
  Dual<T, N> r;
  const T q = divide(T(1), x.v * x.v + y.v * y.v), qx = q * x.v, qy = q * y.v;
  r.v = atan_ratio(y.v, x.v);
  FASTIOU_EACH r.d[i] = qx * y.d[i] - qy * x.d[i];
  return r;
}
FASTIOU_DUAL log(const Dual<T, N>& a) {  // a' / a
  Dual<T, N> r;
  const T q = T(1) / a.v;
  r.v = log(a.v);
  FASTIOU_EACH r.d[i] = q * a.d[i];
  return r;
}

// A number among duals is a constant; written out so that its zero derivatives cost nothing.
FASTIOU_DUAL operator+(const Dual<T, N>& a, std::type_identity_t<T> b) {
  Dual<T, N> r = a;
  r.v = a.v + b;
  return r;
}
FASTIOU_DUAL operator+(std::type_identity_t<T> a, const Dual<T, N>& b) { return b + a; }
FASTIOU_DUAL operator-(const Dual<T, N>& a, std::type_identity_t<T> b) { return a + (-b); }
FASTIOU_DUAL operator-(std::type_identity_t<T> a, const Dual<T, N>& b) { return -b + a; }
FASTIOU_DUAL operator*(const Dual<T, N>& a, std::type_identity_t<T> b) {
  Dual<T, N> r;
  r.v = a.v * b;
  FASTIOU_EACH r.d[i] = a.d[i] * b;
  return r;
}
FASTIOU_DUAL operator*(std::type_identity_t<T> a, const Dual<T, N>& b) { return b * a; }
FASTIOU_DUAL max(const Dual<T, N>& a, std::type_identity_t<T> b) {
  Dual<T, N> r;
  const T w = a.v > b ? T(1) : (a.v < b ? T(0) : T(0.5));
  r.v = max(a.v, b);
  FASTIOU_EACH r.d[i] = w * a.d[i];
  return r;
}
FASTIOU_DUAL max(std::type_identity_t<T> a, const Dual<T, N>& b) { return max(b, a); }
FASTIOU_DUAL min(const Dual<T, N>& a, std::type_identity_t<T> b) {
  Dual<T, N> r;
  const T w = a.v < b ? T(1) : (a.v > b ? T(0) : T(0.5));
  r.v = min(a.v, b);
  FASTIOU_EACH r.d[i] = w * a.d[i];
  return r;
}
FASTIOU_DUAL min(std::type_identity_t<T> a, const Dual<T, N>& b) { return min(b, a); }

#undef FASTIOU_DUAL
#undef FASTIOU_EACH

template <class S> FASTIOU_HD S square(const S& a) { return product(a, a); }

// The value alone: a stop-gradient, visible where a formula has one.
template <class S> FASTIOU_HD auto detach(const S& a) { return value(a); }

}  // namespace fastiou
