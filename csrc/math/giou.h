#pragma once
#include "iou.h"

namespace fastiou {

// Generalized IoU. Rezatofighi et al., "Generalized Intersection over Union", CVPR 2019, algorithm 2:
// IoU minus the share of the enclosing box that neither box covers.
struct GIoU : OneMinusScore {
  static constexpr const char* name = "giou";
  template <class B> FASTIOU_HD static auto score(const B& b) {
    const auto c = b.enclosing_area();
    return iou(b) - divide(c - union_area(b), c + b.eps.area);
  }
};

}  // namespace fastiou
