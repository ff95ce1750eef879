#pragma once
#include "diou.h"

namespace fastiou {

// Complete IoU. Zheng et al., "Distance-IoU Loss", AAAI 2020, eqs. 8-11:
// DIoU minus alpha v, where v compares the aspect ratios. alpha is a weight, not a path for the gradient.
struct CIoU : OneMinusScore {
  static constexpr const char* name = "ciou";
  static constexpr bool by_angle = true;  // sets of boxes are to know their aspect angles
  template <class B> FASTIOU_HD static auto score(const B& b) {
    using T = decltype(b.eps.ratio);
    constexpr T four_over_pi2 = T(0.40528473456935108578);
    const auto v = square(angle_difference(b.g, b.p)) * four_over_pi2;
    const T alpha = divide(detach(v), 1 - detach(iou(b)) + detach(v) + b.eps.ratio);
    return DIoU::score(b) - v * alpha;
  }
};

}  // namespace fastiou
