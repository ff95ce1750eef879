#pragma once
#include "iou.h"

namespace fastiou {

// UnitBox loss, -ln IoU. Yu et al., "UnitBox: An Advanced Object Detection Network", ACM MM 2016, algorithm 1.
// IoU is floored at eps (at the smallest normal number for eps = 0), so disjoint boxes give a finite loss.
struct IoULog : IoU {
  static constexpr const char* name = "iou_log";
  template <class S, class B> FASTIOU_HD static S loss(const S& score, const B& b) {
    return -log(max(max(b.eps.ratio, kSmallestNormal<decltype(b.eps.ratio)>), score));
  }
};

}  // namespace fastiou
