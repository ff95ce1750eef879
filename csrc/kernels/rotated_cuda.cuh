// One pair of rotated boxes on CUDA: what the stages of rotated_stages_cpu.h do to a tile, in registers. Kind, shape
// and link are numbers, the same for a whole grid, so no warp takes two ways; a kernel per combination would be
// hundreds.
#pragma once
#include "rotated.h"

namespace fastiou {

// Kinds that share a kernel: all of them where it has no gradient; else those that ask for no shape around both boxes,
// those that do, and distances of distributions, because all at once take more registers, and minutes to compile.
enum class Family : int { any, lone, enclosed, gaussian };
template <class K> constexpr Family kFamilyOf = Family::gaussian;
template <class K> requires(K::exact)
constexpr Family kFamilyOf<K> = K::around == Around::nothing ? Family::lone : Family::enclosed;

// Options as kernels take them.
template <Real T> struct RotatedParams {
  int kind;
  Enclosing enclosing;
  Around around = Around::nothing;
  Family family = Family::any;
  bool zero_if_disjoint = false;
  Link link;
  T alpha = 1;
  LinkOptions<T> options;
  AngleUnit<T> unit;

  RotatedParams(const RotatedOptions& o, bool degrees)
      : kind(static_cast<int>(RotatedKind::of(o.code).kind)),
        enclosing(RotatedKind::of(o.code).enclosing()),
        link(static_cast<Link>(o.link)),
        options{T(1), static_cast<T>(o.tau), static_cast<T>(o.eps), false},
        unit(angle_unit<T>(degrees)) {
    dispatch_rotated(o.code, [&]<class K, Enclosing kEnclosing>() {
      known_ = o.link >= 0 && o.link < static_cast<int64_t>(std::size(link_names));
      family = kFamilyOf<K>;
      zero_if_disjoint = kZeroIfDisjoint<K>;
      if constexpr (K::exact) around = K::around;
      else alpha = static_cast<T>(o.alpha);
      if constexpr (std::is_same_v<typename K::Kind, NormalizedGWD>)
        options.scale = alpha * alpha;  // in units of the sizes alone
    });
    options.root = family == Family::gaussian && RotatedKind::of(o.code).root();
  }
  bool ok() const { return known_; }

  // Whether the kind is one over the exact overlap, asked by a kernel for a family.
  template <Family kFamily> FASTIOU_HD bool exact() const {
    return kFamily == Family::any ? family != Family::gaussian : kFamily != Family::gaussian;
  }

 private:
  bool known_ = false;
};

// A number that depends on a pose, with all its partial derivatives where they are wanted.
template <bool kGrad, Real T> using OfPose = std::conditional_t<kGrad, PoseDual<T, (1u << by::count) - 1>, T>;

template <Real T> __device__ __forceinline__ void assign(T& to, T from) { to = from; }
template <Real T, unsigned A, unsigned B>
__device__ __forceinline__ void assign(PoseDual<T, A>& to, const PoseDual<T, B>& from) {
  to.v = from.v;
  FASTIOU_UNROLL
  for (int k = 0; k < by::count; ++k) to.d[k] = from.d[k];
}

template <bool kGrad, Real T>
__device__ __forceinline__ void set_enclosing(OfPose<kGrad, T>& to, const RotatedParams<T>& o, const Pose<T>& f) {
  const bool area = o.around == Around::area;
  if (o.enclosing == Enclosing::hull) {
    if (area) assign(to, around<Around::area, Enclosing::hull, kGrad>(f));
    else assign(to, around<Around::diagonal2, Enclosing::hull, kGrad>(f));
    return;
  }
  OfPose<kGrad, T> nx{}, ny{};
  const auto along = [&]<Enclosing kEnclosing>() {
    const auto n = enclosing_direction<kEnclosing, kGrad>(f);
    assign(nx, n.x), assign(ny, n.y);
  };
  switch (o.enclosing) {
    case Enclosing::hull: break;
    case Enclosing::min: along.template operator()<Enclosing::min>(); break;
    case Enclosing::target: along.template operator()<Enclosing::target>(); break;
    case Enclosing::aabb: along.template operator()<Enclosing::aabb>(); break;
  }
  const auto rectangle = detail::rectangle_along(numbers_of<kGrad>(f), nx, ny);
  if (area) assign(to, rectangle.area());
  else assign(to, rectangle.diagonal2());
}

// The score of a pose that is scaled, or has the sides of distributions.
template <Family kFamily, bool kGrad, Real T>
__device__ __forceinline__ OfPose<kGrad, T> score_of_pose(const RotatedParams<T>& o, const Pose<T>& f) {
  OfPose<kGrad, T> shared{}, enclosing{}, r{};
  if (o.template exact<kFamily>()) {
    if constexpr (kFamily == Family::any || kFamily == Family::enclosed) {
      if (o.around != Around::nothing) set_enclosing<kGrad>(enclosing, o, f);
    }
    if constexpr (kGrad) assign(shared, overlap_dual(f));
    else shared = overlap_area(f);
  }
  dispatch_kind(
      o.kind,
      [&]<class K>() {
        if constexpr (kFamily == Family::any || kFamily == kFamilyOf<K>) {
          if constexpr (K::exact) assign(r, K::score(rotated_pair<kGrad>(f, shared, enclosing)));
          else assign(r, K::score(numbers_of<kGrad>(f)));
        }
      },
      RotatedKinds{});
  return r;
}

template <bool kLinks, Real T> __device__ __forceinline__ Dual<T, 1, 1> loss_of(const RotatedParams<T>& o, T score) {
  if constexpr (kLinks) {
    switch (o.link) {
      case Link::none: break;
      case Link::one_minus: return loss_of<Link::one_minus>(score, o.options);
      case Link::log_floor: return loss_of<Link::log_floor>(score, o.options);
      case Link::square: return loss_of<Link::square>(score, o.options);
      case Link::log: return loss_of<Link::log>(score, o.options);
      case Link::exp: return loss_of<Link::exp>(score, o.options);
      case Link::log1p: return loss_of<Link::log1p>(score, o.options);
      case Link::sqrt: return loss_of<Link::sqrt>(score, o.options);
    }
  }
  return loss_of<Link::none>(score, o.options);
}

template <Real T> struct RotatedValue {
  T value;
  RotatedGradient<T> grad;
};

// Value and gradients of one pair, times `weight`, settled. `at` is the direction of g. Without kLinks o.link is none.
template <Family kFamily, bool kLinks, bool kGrad, Real T>
__device__ __forceinline__ RotatedValue<T> evaluate(const RotatedParams<T>& o, const RotatedBox<T>& p,
                                                    const RotatedBox<T>& g, const Direction<T>& at, T weight) {
  const T poison = nan_unless_finite(p) + nan_unless_finite(g) + nan_unless_finite(weight);
  const Pose<T> boxes = pose_of(p, g, at, o.unit);
  const bool exact = o.template exact<kFamily>();
  const T scale = exact ? scale_of(boxes) : T(1);
  const Pose<T> f = exact ? scaled(boxes, scale) : as_gaussian(boxes, o.alpha);
  const OfPose<kGrad, T> score = score_of_pose<kFamily, kGrad>(o, f);
  const Dual<T, 1, 1> loss = loss_of<kLinks>(o, value(score));
  RotatedValue<T> r{};
  r.value = settle(loss.v * weight, poison);
  if constexpr (kGrad) {
    T d[by::count];
    FASTIOU_UNROLL
    for (int k = 0; k < by::count; ++k) d[k] = score.d[k] * (loss.d[0] * weight);
    const T least = exact ? T(0) : kLeastSide<T>, most = exact ? kLargest<T> : kMostSide<T>;
    const RotatedGradient<T> grad = boxes_gradient(f, d, p, g, scale, scale * o.alpha, o.unit.radians, least, most);
    r.grad = {settle(grad.p, poison), settle(grad.g, poison)};
  }
  return r;
}

}  // namespace fastiou
