// Angles, as whole quarter turns and a rest, in the unit that they are written in: a rectangle comes back to itself by
// half turns, and by quarter turns if its sides change places. Nothing here branches or calls libm.
#pragma once
#include "scalar.h"

namespace fastiou {

// pi / 2 in three parts, of which the first two times a number of quarters round nothing (Cody & Waite, "Software
// Manual for the Elementary Functions", 1980); 90 degrees need one.
template <Real T> struct AngleUnit {
  T quarter[3], quarters, radians;  // a quarter turn; quarter turns per unit; radians per unit
};
template <Real T> FASTIOU_HD AngleUnit<T> angle_unit(bool degrees) {
  if (degrees) return {{T(90), T(0), T(0)}, T(1.0 / 90), T(0.017453292519943295769)};
  constexpr T two_over_pi = T(0.63661977236758134308);
  if constexpr (std::is_same_v<T, float>) return {{0x1.92p0f, 0x1.fb4p-12f, 0x1.4442d2p-24f}, two_over_pi, 1};
  else return {{0x1.921fb544p0, 0x1.0b4611a6p-34, 0x1.3198a2e037073p-69}, two_over_pi, 1};
}

template <Real T> struct QuarterTurns {
  T rest;                          // in radians, within +-pi / 4
  typename Bits<T>::Int quarters;  // modulo 4, in the two lowest bits
};
// `small` is added to the angle, which is too large to hold it. Beyond a million turns float32 knows no angles.
template <Real T> FASTIOU_HD QuarterTurns<T> quarter_turns(T angle, T small, const AngleUnit<T>& u) {
  constexpr T shift = kRoundingShift<T>;
  constexpr T most = T(typename Bits<T>::Int(1) << (Bits<T>::mantissa - 2)), eighth = T(0.7853981633974483);
  const T shifted = clamp(product(angle, u.quarters), -most, most) + shift, k = shifted - shift;
  const T rest = angle - product(k, u.quarter[0]) - product(k, u.quarter[1]) - product(k, u.quarter[2]) + small;
  return {clamp(rest * u.radians, -eighth, eighth), __builtin_bit_cast(typename Bits<T>::Int, shifted)};
}

// Sine and cosine for |x| <= pi / 4, within an ulp: Chebyshev fits of (sin(x) / x - 1) / x^2 and (cos(x) - 1 + x^2 / 2)
// / x^4.
template <Real T> FASTIOU_HD T sin_small(T x) {
  const T s = x * x;
  if constexpr (std::is_same_v<T, float>) {
    constexpr T c[] = {-0.00019587639f, 0.0083327471f, -0.166666647f};
    return x + x * (s * horner(s, c));
  } else {
    constexpr T c[] = {1.5917988944318715e-10, -2.505112989596281e-08, 2.7557316093196066e-06,
                       -0.00019841269836740528, 0.008333333333330937, -0.16666666666666666};
    return x + x * (s * horner(s, c));
  }
}
template <Real T> FASTIOU_HD T cos_small(T x) {
  const T s = x * x;
  if constexpr (std::is_same_v<T, float>) {
    constexpr T c[] = {2.45476897e-05f, -0.00138883019f, 0.0416666647f};
    return T(1) - (s * T(0.5) - s * s * horner(s, c));
  } else {
    constexpr T c[] = {-1.1382544623404291e-11, 2.087614504910828e-09, -2.7557317265876617e-07,
                       2.4801587298754397e-05, -0.0013888888888887388, 0.041666666666666664};
    return T(1) - (s * T(0.5) - s * s * horner(s, c));
  }
}

// The angle from b to a. What their difference loses by rounding (Knuth's two-sum) matters to thin boxes that are
// written differently: it is as much as what the angles themselves have lost.
template <Real T> FASTIOU_HD QuarterTurns<T> turn_between(T a, T b, const AngleUnit<T>& u) {
  const T d = a - b, c = d - a, lost = (a - (d - c)) - (b + c);
  return quarter_turns(d, lost == lost ? lost : T(0), u);
}

template <Real T> struct Direction { T c, s; };  // cosine and sine

template <Real T> FASTIOU_HD Direction<T> direction(T angle, const AngleUnit<T>& u) {
  const QuarterTurns<T> t = quarter_turns(angle, T(0), u);
  const T c = cos_small(t.rest), s = sin_small(t.rest);
  const bool odd = (t.quarters & 1) != 0, half = (t.quarters & 2) != 0;
  const T x = odd ? -s : c, y = odd ? c : s;
  return {half ? -x : x, half ? -y : y};
}

}  // namespace fastiou
