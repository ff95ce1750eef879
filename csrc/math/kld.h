#pragma once
#include "gaussian.h"

namespace fastiou {

namespace gaussian {

// r^2 - 1 - ln r^2 of the ratio r = 1 + x of two sides.
template <class A, class B> FASTIOU_HD auto ratio_term(const A& a, const B& b) {
  const auto x = divide(a - b, b);
  return square(x) + times(2, minus_log(x, divide(value(a), value(b))));
}

// KL(b || a) of distributions with sides (gw, gh) and (w, h), the latter's covariance inverted; (dx, dy) in its frame.
template <class X, class Y, class W, class H, class GW, class GH, class K>
FASTIOU_HD auto kl(const X& dx, const Y& dy, const W& w, const H& h, const GW& gw, const GH& gh, const K& twist) {
  return times(2, square(divide(dx, w)) + square(divide(dy, h))) +
         times(0.5, ratio_term(gw, w) + ratio_term(gh, h) + divide(twist, square(product(w, h))));
}

template <class P> FASTIOU_HD auto kl_of_target(const P& f) {
  return kl(offset_x(f), offset_y(f), f.pw, f.ph, f.gw, f.gh, twist(f));
}
template <class P> FASTIOU_HD auto kl_of_prediction(const P& f) {
  return kl(f.x, f.y, f.gw, f.gh, f.pw, f.ph, twist(f));
}

}  // namespace gaussian

// Kullback-Leibler divergence of the target from the prediction, KL(target || prediction). Yang et al., "Learning
// High-Precision Bounding Box for Rotated Object Detection via Kullback-Leibler Divergence", NeurIPS 2021, eq. 4.
struct KLD {
  static constexpr const char* name = "kld";
  template <class P> FASTIOU_HD static auto score(const P& f) { return gaussian::kl_of_target(f); }
};

// The mean, the larger and the smaller one of both directions: ibid., section 3.3.
struct JD {
  static constexpr const char* name = "jd";
  template <class P> FASTIOU_HD static auto score(const P& f) {
    return times(0.5, gaussian::kl_of_target(f) + gaussian::kl_of_prediction(f));
  }
};
struct KLDSymMax {
  static constexpr const char* name = "kld_symmax";
  template <class P> FASTIOU_HD static auto score(const P& f) {
    return max(gaussian::kl_of_target(f), gaussian::kl_of_prediction(f));
  }
};
struct KLDSymMin {
  static constexpr const char* name = "kld_symmin";
  template <class P> FASTIOU_HD static auto score(const P& f) {
    return min(gaussian::kl_of_target(f), gaussian::kl_of_prediction(f));
  }
};

}  // namespace fastiou
