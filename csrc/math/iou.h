#pragma once
#include "box.h"

namespace fastiou {

// A kind is a name, a score and a loss. The score is 1 for identical boxes and falls as they differ; the loss is 0
// there and rises. Most losses are 1 - score.
struct OneMinusScore {
  template <class S, class B> FASTIOU_HD static S loss(const S& score, const B&) { return 1 - score; }
};

// Intersection over union (Jaccard index).
struct IoU : OneMinusScore {
  using Score = IoU;  // kinds that inherit this score share its pairwise kernels
  static constexpr bool zero_if_disjoint = true;  // boxes without a common point score 0, and no pair scores less
  static constexpr const char* name = "iou";
  template <class B> FASTIOU_HD static auto score(const B& b) { return iou(b); }
};

}  // namespace fastiou
