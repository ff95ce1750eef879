// The stages of rotated_cpu.h, each one vectorised loop: poses, the overlap, what encloses, the kind, the loss, and
// back to the boxes. Kinds and shapes combine without a loop for every combination.
#pragma once
#include "rotated_cpu.h"

namespace fastiou {

template <Real T> FASTIOU_HD Pose<T> pose_at(const Columns<T, 12>& c, int64_t j) {
  return {c[0][j], c[1][j], c[2][j], c[3][j], c[4][j],  c[5][j],
          c[6][j], c[7][j], c[8][j], c[9][j], c[10][j], c[11][j]};
}
template <Real T> FASTIOU_HD void set_pose(Columns<T, 12>& c, int64_t j, const Pose<T>& f) {
  c[0][j] = f.x, c[1][j] = f.y, c[2][j] = f.pw, c[3][j] = f.ph, c[4][j] = f.gw, c[5][j] = f.gh;
  c[6][j] = f.c, c[7][j] = f.s, c[8][j] = f.gc, c[9][j] = f.gs, c[10][j] = f.mirror, c[11][j] = f.swapped;
}
template <unsigned mask, Real T> FASTIOU_HD PoseDual<T, mask> dual_at(const DualColumns<T>& c, int64_t j) {
  PoseDual<T, mask> r;
  r.v = c.v[0][j];
  FASTIOU_UNROLL
  for (int k = 0; k < by::count; ++k) r.d[k] = mask >> k & 1 ? c.d[k][j] : T(0);
  return r;
}
template <Real T> FASTIOU_HD void set_dual(DualColumns<T>& c, int64_t j, T x) { c.v[0][j] = x; }
template <Real T, unsigned mask>
FASTIOU_HD void set_dual(DualColumns<T>& c, int64_t j, const PoseDual<T, mask>& x) {
  c.v[0][j] = x.v;
  FASTIOU_UNROLL
  for (int k = 0; k < by::count; ++k) c.d[k][j] = x.d[k];
}

template <bool kExact, Real T>
FASTIOU_CLONES void pose_tile(RotatedTile<T>& t, int64_t n, const AngleUnit<T>& u, T alpha) {
  const AngleUnit<T> unit = u;
  for (int64_t j = 0; j < n; ++j) {
    const RotatedBox<T> p = rotated_at<T>(t.p, j), g = rotated_at<T>(t.g, j);
    const Pose<T> f = pose_of(p, g, direction(g.angle, unit), unit);
    const T scale = kExact ? scale_of(f) : T(1);
    t.scale[0][j] = scale;
    t.poison[0][j] = nan_unless_finite(p) + nan_unless_finite(g);
    set_pose<T>(t.pose, j, kExact ? scaled(f, scale) : as_gaussian(f, alpha));
  }
}

template <bool kGrad, Real T> FASTIOU_CLONES void overlap_tile(RotatedTile<T>& t, int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    const Pose<T> f = pose_at<T>(t.pose, j);
    if constexpr (kGrad) set_dual(t.shared, j, overlap_dual(f));
    else set_dual(t.shared, j, overlap_area(f));
  }
}

template <Around kAround, Enclosing kEnclosing, bool kGrad, Real T>
FASTIOU_CLONES void enclosing_tile(RotatedTile<T>& t, int64_t n) {
  for (int64_t j = 0; j < n; ++j)
    set_dual(t.enclosing, j, around<kAround, kEnclosing, kGrad>(pose_at<T>(t.pose, j)));
}

template <class Kind, bool kGrad, Real T> FASTIOU_CLONES void kind_tile(RotatedTile<T>& t, int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    const Pose<T> f = pose_at<T>(t.pose, j);
    if constexpr (!Kind::exact) {
      set_dual(t.result, j, Kind::score(numbers_of<kGrad>(f)));
    } else if constexpr (kGrad) {
      constexpr unsigned all = (1u << by::count) - 1;
      const auto enclosing = dual_at<Kind::around == Around::nothing ? 0 : all>(t.enclosing, j);
      set_dual(t.result, j, Kind::score(rotated_pair<true>(f, dual_at<kPoseMask>(t.shared, j), enclosing)));
    } else {
      set_dual(t.result, j, Kind::score(rotated_pair<false>(f, t.shared.v[0][j], t.enclosing.v[0][j])));
    }
  }
}

// The result becomes the loss times its factor, and the partial derivatives follow. Settled.
template <Link kLink, bool kGrad, Real T>
FASTIOU_CLONES void link_tile(RotatedTile<T>& t, int64_t n, const LinkOptions<T>& o, const T* __restrict factor) {
  const LinkOptions<T> options = o;
  for (int64_t j = 0; j < n; ++j) {
    const Dual<T, 1, 1> loss = loss_of<kLink>(t.result.v[0][j], options);
    const T f = factor[j], slope = loss.d[0] * f;
    t.result.v[0][j] = settle(loss.v * f, t.poison[0][j] + nan_unless_finite(f));
    if constexpr (kGrad)
      for (int k = 0; k < by::count; ++k) t.result.d[k][j] *= slope;
  }
}

template <Real T>
FASTIOU_CLONES void boxes_tile(RotatedTile<T>& t, int64_t n, T alpha, T radians, T least, T most,
                               const T* __restrict factor) {
  for (int64_t j = 0; j < n; ++j) {
    const auto d = dual_at<(1u << by::count) - 1>(t.result, j);
    const RotatedBox<T> p = rotated_at<T>(t.p, j), g = rotated_at<T>(t.g, j);
    const T scale = t.scale[0][j];
    const RotatedGradient<T> r =
        boxes_gradient(pose_at<T>(t.pose, j), d.d, p, g, scale, scale * alpha, radians, least, most);
    const T poison = t.poison[0][j] + nan_unless_finite(factor[j]);
    set_rotated<T>(t.grad_p, j, settle(r.p, poison));
    set_rotated<T>(t.grad_g, j, settle(r.g, poison));
  }
}

namespace detail {

template <bool kGrad, Real T> auto link_tile_of(Link link) -> decltype(&link_tile<Link::none, kGrad, T>) {
  switch (link) {
    case Link::none: return link_tile<Link::none, kGrad, T>;
    case Link::one_minus: return link_tile<Link::one_minus, kGrad, T>;
    case Link::log_floor: return link_tile<Link::log_floor, kGrad, T>;
    case Link::square: return link_tile<Link::square, kGrad, T>;
    case Link::log: return link_tile<Link::log, kGrad, T>;
    case Link::exp: return link_tile<Link::exp, kGrad, T>;
    case Link::log1p: return link_tile<Link::log1p, kGrad, T>;
    case Link::sqrt: return link_tile<Link::sqrt, kGrad, T>;
  }
  return nullptr;
}

}  // namespace detail

template <Real T>
RotatedStages<T>::RotatedStages(const RotatedOptions& o, bool degrees, bool grad)
    : unit_(angle_unit<T>(degrees)), alpha_(static_cast<T>(o.alpha)), grad_(grad) {
  const auto set = [&]<class K, Enclosing kEnclosing, bool kGrad>() {
    exact_ = K::exact;
    // Its units are those of the sizes without alpha.
    options_.scale = std::is_same_v<typename K::Kind, NormalizedGWD> ? alpha_ * alpha_ : T(1);
    kind_ = kind_tile<K, kGrad, T>;
    if constexpr (K::exact) {
      shared_ = overlap_tile<kGrad, T>;
      if constexpr (K::around != Around::nothing) enclosing_ = enclosing_tile<K::around, kEnclosing, kGrad, T>;
    }
  };
  dispatch_rotated(o.code, [&]<class K, Enclosing kEnclosing>() {
    if (grad) set.template operator()<K, kEnclosing, true>();
    else set.template operator()<K, kEnclosing, false>();
  });
  const Link link = static_cast<Link>(o.link);
  link_ = grad ? detail::link_tile_of<true, T>(link) : detail::link_tile_of<false, T>(link);
  const bool root = !exact_ && RotatedKind::of(o.code).root();
  options_.tau = static_cast<T>(o.tau), options_.eps = static_cast<T>(o.eps), options_.root = root;
}

template <Real T> void RotatedStages<T>::operator()(RotatedTile<T>& t, int64_t n, const T* factor) const {
  if (exact_) pose_tile<true, T>(t, n, unit_, T(1));
  else pose_tile<false, T>(t, n, unit_, alpha_);
  if (shared_) shared_(t, n);
  if (enclosing_) enclosing_(t, n);
  kind_(t, n);
  link_(t, n, options_, factor);
  if (!grad_) return;
  const T least = exact_ ? T(0) : kLeastSide<T>, most = exact_ ? kLargest<T> : kMostSide<T>;
  boxes_tile<T>(t, n, exact_ ? T(1) : alpha_, unit_.radians, least, most, factor);
}

}  // namespace fastiou
