#pragma once
#include "iou.h"

namespace fastiou {

// Distance IoU. Zheng et al., "Distance-IoU Loss", AAAI 2020, eq. 7:
// IoU minus the squared distance of the centres over the squared diagonal of the enclosing box.
struct DIoU : OneMinusScore {
  static constexpr const char* name = "diou";
  template <class B> FASTIOU_HD static auto score(const B& b) {
    return b.iou() - divide(b.centre_distance2(), b.enclosing_diagonal2() + b.eps.area);
  }
};

}  // namespace fastiou
