#pragma once
#include "gaussian.h"

namespace fastiou {

// The overlap of two distributions by the product of a Kalman filter; 1/3 for identical boxes, and blind to where the
// centres are. Yang et al., "The KFIoU Loss for Rotated Object Detection", ICLR 2023, eqs. 5-8.
struct KFIoU {
  static constexpr const char* name = "kfiou";
  template <class P> FASTIOU_HD static auto score(const P& f) {
    const auto p = product(f.pw, f.ph);
    const auto g = product(f.gw, f.gh);
    const auto shared = product(p, divide(g, sqrt(gaussian::determinant(f))));
    return divide(shared, p + g - shared);
  }
};

}  // namespace fastiou
