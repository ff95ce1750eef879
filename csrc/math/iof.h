#pragma once
#include "box.h"

namespace fastiou {

// Intersection over the area of the first box ("foreground"), as MMDetection's ignore regions and crowds need it. A
// score without a loss: it is 1 wherever the first box lies inside the second.
struct IoF {
  static constexpr const char* name = "iof";
  static constexpr bool zero_if_disjoint = true;
  template <class B> FASTIOU_HD static auto score(const B& b) {
    return divide(b.intersection(), b.p.area() + b.eps.overlap);
  }
};

}  // namespace fastiou
