// The operators are private: fastiou/functional.py is the interface.
#include <torch/csrc/stable/library.h>

#include "pair_loss.h"

STABLE_TORCH_LIBRARY(fastiou, m) {
  m.def(fastiou::kPairLossSchema);
  m.def(fastiou::kScaleRowsSchema);
}
