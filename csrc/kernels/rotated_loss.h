// The arguments of the losses of rotated boxes.
#pragma once
#include "pair_loss.h"
#include "rotated.h"

namespace fastiou {

// Rows, weights and reduction are those of `pair`, whose formats are rotated ones and whose eps are not used.
struct RotatedLossArgs {
  PairLossArgs pair;
  RotatedOptions options;
};

}  // namespace fastiou
