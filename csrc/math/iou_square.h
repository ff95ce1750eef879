#pragma once
#include "iou.h"

namespace fastiou {

// 1 - IoU^2, as YOLOX and MMDetection's IoULoss(mode="square") train with.
struct IoUSquare : IoU {
  static constexpr const char* name = "iou_square";
  template <class S, class B> FASTIOU_HD static S loss(const S& score, const B&) { return 1 - square(score); }
};

}  // namespace fastiou
