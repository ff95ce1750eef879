// The registry of what can be asked of two rotated boxes. A kind of kinds.h holds for them as it is; here stands what
// it asks of the shape that encloses both. To add one: a line below, its name in
// fastiou/_core_module.py, and a function of that name in the Python reference.
#pragma once
#include "bhattacharyya.h"
#include "gwd.h"
#include "kfiou.h"
#include "kinds.h"
#include "kld.h"
#include "rotated_pair.h"

namespace fastiou {

enum class Around : int { nothing, area, diagonal2 };

// A kind over the exact overlap, in four variants by what encloses; and a distance or similarity of distributions, in
// two variants: as it is, and its square root.
template <class K, Around kAround = Around::nothing> struct Exact : K {
  using Kind = K;
  static constexpr bool exact = true;
  static constexpr Around around = kAround;
};
template <class K> struct Gaussian : K {
  using Kind = K;
  static constexpr bool exact = false;
};

using RotatedKinds =
    TypeList<Exact<IoU>, Exact<IoF>, Exact<GIoU, Around::area>, Exact<DIoU, Around::diagonal2>,
             Exact<CIoU, Around::diagonal2>, Gaussian<GWD>, Gaussian<NormalizedGWD>, Gaussian<KLD>, Gaussian<JD>,
             Gaussian<KLDSymMax>, Gaussian<KLDSymMin>, Gaussian<BCD>,
             Gaussian<UniformBCD>, Gaussian<KFIoU>, Gaussian<ProbIoU>>;

// A kind and its variant as one number, as operators take it; `rotated_kinds` in Python makes it.
constexpr int64_t kVariants = 4;
struct RotatedKind {
  int64_t kind, variant;
  FASTIOU_HD static RotatedKind of(int64_t code) { return {code / kVariants, code % kVariants}; }
  FASTIOU_HD Enclosing enclosing() const { return static_cast<Enclosing>(variant); }
  FASTIOU_HD bool root() const { return variant == 1; }
};

// Calls f.operator()<Kind, kEnclosing>() for a code; false if there is no such kind.
template <class F> bool dispatch_rotated(int64_t code, F&& f) {
  const RotatedKind k = RotatedKind::of(code);
  return dispatch_kind(
      k.kind,
      [&]<class K>() {
        switch (k.enclosing()) {
          case Enclosing::hull: f.template operator()<K, Enclosing::hull>(); break;
          case Enclosing::min: f.template operator()<K, Enclosing::min>(); break;
          case Enclosing::target: f.template operator()<K, Enclosing::target>(); break;
          case Enclosing::aabb: f.template operator()<K, Enclosing::aabb>(); break;
        }
      },
      RotatedKinds{});
}

}  // namespace fastiou
