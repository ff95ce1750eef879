// Every box of one set against every box of another.
#pragma once
#include <algorithm>

#include "box_set.h"

namespace fastiou {

struct PairwiseArgs {
  BoxSet first, second;
  int64_t batch = 1;
  Eps<double> eps{0, 0, 0};
  void* out = nullptr;  // scores (batch, first, second), contiguous
  DType out_dtype = DType::f32;
};

// The gradient of sum(grad * scores) with respect to one of the sets, "own"; the other one is summed over.
struct PairwiseBackwardArgs {
  BoxSet own, other;
  bool own_first = true;  // whether own is the first set
  int64_t batch = 1;
  Eps<double> eps{0, 0, 0};
  const void* grad = nullptr;  // of the scores, in the compute dtype
  int64_t grad_batch_stride = 0, grad_own_stride = 0, grad_other_stride = 0;
  void* out = nullptr;         // (batch, own, 4) in the compute dtype, contiguous
  double* partial = nullptr;   // (slices, batch, own, 4) where there are several slices
  int64_t slices = 1;
};

// The other set is summed in this many slices, so that few boxes against many still keep all cores busy. It depends on
// nothing but the sizes: sums are the same on every machine.
inline int64_t slices_for(int64_t other) { return std::clamp<int64_t>(other / 1024, 1, 16); }

}  // namespace fastiou
