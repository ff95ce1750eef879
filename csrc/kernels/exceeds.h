// Whether the score of two boxes exceeds a threshold, as suppression asks it of every pair: the sign of a number tells.
#pragma once
#include "nms.h"
#include "pair.h"

namespace fastiou {

// Returns a b + c, rounded once.
template <Real T> FASTIOU_HD T fused(T a, T b, T c) {
#ifdef __CUDA_ARCH__
  if constexpr (std::is_same_v<T, float>) return __fmaf_rn(a, b, c);
  else return __fma_rn(a, b, c);
#else
  if constexpr (std::is_same_v<T, float>) return __builtin_fmaf(a, b, c);
  else return __builtin_fma(a, b, c);
#endif
}

// Kinds whose score is one quotient where eps is 0: the area that two boxes share, over this one.
template <class Kind> constexpr bool kIsQuotient = std::is_same_v<Kind, IoU> || std::is_same_v<Kind, IoF>;
template <class Kind, class B> FASTIOU_HD auto denominator(const B& pair) {
  if constexpr (std::is_same_v<Kind, IoF>) return pair.p.area();
  else return union_area(pair);
}

// A threshold t, and how quotients are compared with it without a division.
//
// a / b, rounded to T, exceeds t exactly where a > (t + h) b, with h half the way from t to the next number: what lies
// beyond t + h is rounded to that number at least. No quotient is t + h itself, since (t + h) b has more digits than a.
//
// The sign of (t + h) b - a is that of h b + (t b - a), in spite of its two roundings. Let u be an ulp of t times one
// of b: where a is close to t b, both are multiples of u. A difference of less than 2^24 u (in float) is exact, and the
// rounded sum has the sign of the sum; a larger one outweighs h b, which is less than 2^23 u.
//
// Nothing may underflow in this: t is to be 2^-20 or more, and areas as has_usual_area() wants them.
template <Real T> struct Threshold {
  T at, half = 0;
  bool divides = true;  // quotients are divided because t is not usual

  explicit Threshold(double threshold) : at(floor_to<T>(threshold) + T(0)) {  // no -0
    if (!(at >= T(0x1p-20) && at < T(2))) return;
    divides = false;
    half = (std::nextafter(at, T(2)) - at) / 2;
  }
};

// True for a box of area 0, or of one so large that products with a threshold do not underflow.
template <Real T> FASTIOU_HD bool has_usual_area(const Box<T>& b) {
  constexpr T least = std::is_same_v<T, float> ? T(0x1p-80) : T(0x1p-900);
  const T area = b.area();
  return (area == 0) | (area >= least);
}

// Returns a number below 0 exactly where the score of two boxes of usual area exceeds the threshold.
template <class Kind, class P, class G, Real T> FASTIOU_HD T margin(const P& p, const G& g, const Threshold<T>& t) {
  const Pair pair{p, g, Eps<T>{0, 0, 0}};
  const T below = denominator<Kind>(pair);
  return fused(t.half, below, fused(t.at, below, -pair.intersection()));
}

}  // namespace fastiou
