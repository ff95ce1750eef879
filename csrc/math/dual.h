// Dual numbers: a value and its N partial derivatives, so a formula written once gives the loss and its gradient
// (forward-mode automatic differentiation: Griewank & Walther, "Evaluating Derivatives", ch. 3). Every derivative rule
// of the library stands in this file, but for the area of two rotated boxes (overlap.h) and that of their hull
// (hull.h).
#pragma once
#include "scalar.h"

namespace fastiou {

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

// 1 if a is larger, 0 if b is, 1/2 at a tie: a sum of two selects, because nested ones turn into branches. GPUs
// saturate the difference, blown up, which takes two instructions instead of five: below 2^-128 it is between the two.
template <Real T> FASTIOU_HD T share_of_larger(T a, T b) {
#ifdef __CUDA_ARCH__
  if constexpr (std::is_same_v<T, float>) return __saturatef(__fmaf_rn(__fsub_rn(a, b), 0x1p127f, 0.5f));
#endif
  return (a > b ? T(0.5) : T(0)) + (a >= b ? T(0.5) : T(0));
}

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
  const Ratio<T> r = ratio(a.v, b.v);
  return detail::chain(r.value, r.inverse, detail::chain(a.v, T(1), a, -r.value, b));
}
// 0 at 0: boxes that only touch do not pull each other.
FASTIOU_UNARY relu(FASTIOU_A) { return detail::chain(relu(a.v), a.v > 0 ? T(1) : T(0), a); }
// At a tie the mean of both sides, as torch.maximum.
FASTIOU_BINARY max(FASTIOU_A, FASTIOU_B) {
  const T w = detail::share_of_larger(a.v, b.v);
  return detail::chain(max(a.v, b.v), w, a, T(1) - w, b);
}
FASTIOU_BINARY min(FASTIOU_A, FASTIOU_B) {
  const T w = detail::share_of_larger(a.v, b.v);  // the comparison that max makes
  return detail::chain(min(a.v, b.v), T(1) - w, a, w, b);
}
FASTIOU_UNARY log(FASTIOU_A) { return detail::chain(log(a.v), reciprocal(a.v), a); }
FASTIOU_UNARY exp(FASTIOU_A) {
  const T r = exp(a.v);
  return detail::chain(r, r, a);
}

FASTIOU_UNARY log1p(FASTIOU_A) { return detail::chain(log1p(a.v), reciprocal(T(1) + a.v), a); }
FASTIOU_UNARY expm1(FASTIOU_A) {
  const T r = expm1(a.v);
  return detail::chain(r, r + T(1), a);
}
FASTIOU_UNARY minus_log(FASTIOU_A, FASTIOU_NUMBER r) { return detail::chain(minus_log(a.v, r), quotient(a.v, r), a); }
// 0 at 0, where a root has no derivative: boxes that agree do not pull each other.
FASTIOU_UNARY sqrt(FASTIOU_A) {
  const T r = sqrt(a.v);
  return detail::chain(r, divide(T(0.5), r), a);
}
FASTIOU_UNARY abs(FASTIOU_A) { return detail::chain(abs(a.v), a.v > 0 ? T(1) : (a.v < 0 ? T(-1) : T(0)), a); }

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
FASTIOU_UNARY times(double factor, FASTIOU_A) { return a * static_cast<T>(factor); }
FASTIOU_UNARY max(FASTIOU_NUMBER b, FASTIOU_A) {
  return detail::chain(max(b, a.v), detail::share_of_larger(a.v, b), a);
}
FASTIOU_UNARY max(FASTIOU_A, FASTIOU_NUMBER b) { return max(b, a); }
FASTIOU_UNARY min(FASTIOU_NUMBER b, FASTIOU_A) {
  return detail::chain(min(b, a.v), T(1) - detail::share_of_larger(a.v, b), a);
}
FASTIOU_UNARY min(FASTIOU_A, FASTIOU_NUMBER b) { return min(b, a); }

#undef FASTIOU_UNARY
#undef FASTIOU_BINARY
#undef FASTIOU_A
#undef FASTIOU_B
#undef FASTIOU_NUMBER

// A number as a dual that depends on nothing.
template <int N, Real T> FASTIOU_HD Dual<T, N, 0> constant(T value) {
  return detail::chain(value, T(0), Dual<T, N, 0>{});
}

template <class S> FASTIOU_HD auto square(const S& a) { return product(a, a); }

// The value alone: a stop-gradient, visible where a formula has one.
template <class S> FASTIOU_HD auto detach(const S& a) { return value(a); }

}  // namespace fastiou
