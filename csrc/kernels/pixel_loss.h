// The arguments of the aligned losses over pixels.
#pragma once
#include "pair_loss.h"
#include "pixel.h"

namespace fastiou {

// Rows, weights and reduction are those of `pair`, whose eps are not used.
struct PixelLossArgs {
  PairLossArgs pair;
  PixelOptions options;
};

}  // namespace fastiou
