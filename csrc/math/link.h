// From the score of a rotated pair, or a distance, to the loss.
#pragma once
#include "kinds.h"

namespace fastiou {

// none: as it is. one_minus: 1 - score. log_floor: -ln score, floored at eps. square: 1 - score^2. log: -ln(score +
// eps). exp: e^(1 - score) - 1. log1p and sqrt: of a distance. The order is that of link_names.
enum class Link : int { none, one_minus, log_floor, square, log, exp, log1p, sqrt };
inline constexpr const char* link_names[] = {"none", "one_minus", "log_floor", "square", "log", "exp", "log1p", "sqrt"};

template <Real T> struct LinkOptions {
  T scale, tau, eps;
  bool root;  // whether the root of what comes in is meant
};

namespace detail {
template <Real T> struct LossEps { Eps<T> eps; };  // what the losses of kinds ask of a pair
}  // namespace detail

template <Link kLink, Real T> FASTIOU_HD auto linked(const Dual<T, 1, 1>& x, const LinkOptions<T>& o) {
  const detail::LossEps<T> floor{{0, 0, o.eps}};
  if constexpr (kLink == Link::one_minus) return OneMinusScore::loss(x, floor);
  else if constexpr (kLink == Link::log_floor) return IoULog::loss(x, floor);
  else if constexpr (kLink == Link::square) return IoUSquare::loss(x, floor);
  else if constexpr (kLink == Link::log) return -log(x + o.eps);
  else if constexpr (kLink == Link::exp) return expm1(1 - x);
  else if constexpr (kLink == Link::log1p) return log1p(x);
  else if constexpr (kLink == Link::sqrt) return sqrt(x);
  else return x;
}

// The loss, and its slope: 1 - 1 / (tau + loss) if tau is at least 1, as MMRotate bounds distances.
template <Link kLink, Real T> FASTIOU_HD Dual<T, 1, 1> loss_of(T score, const LinkOptions<T>& o) {
  Dual<T, 1, 1> x = variable<1, 0>(score) * o.scale;
  const auto root = sqrt(x);
  x.v = o.root ? root.v : x.v, x.d[0] = o.root ? root.d[0] : x.d[0];
  const Dual<T, 1, 1> y = linked<kLink>(x, o);
  const bool bounded = o.tau >= 1;
  const T r = reciprocal(bounded ? o.tau + y.v : T(1));
  return {bounded ? T(1) - r : y.v, {bounded ? r * r * y.d[0] : y.d[0]}};
}

}  // namespace fastiou
