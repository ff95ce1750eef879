#pragma once
#include "iou.h"

namespace fastiou {

// The squared distance of the centres over the squared diagonal of the enclosing box.
struct CentreDistance {
  template <class B> FASTIOU_HD static auto score(const B& b) {
    return divide(b.centre_distance2(), b.enclosing_diagonal2() + b.eps.area);
  }
};

// Distance IoU: IoU minus that. Zheng et al., "Distance-IoU Loss", AAAI 2020, eq. 7.
struct DIoU : OneMinusScore {
  static constexpr const char* name = "diou";
  template <class B> FASTIOU_HD static auto score(const B& b) { return iou(b) - CentreDistance::score(b); }
};

}  // namespace fastiou
