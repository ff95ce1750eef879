// Losses and scores over pixels by emulation. test_emulated_pixels.py calls them.
#include "launcher.h"

#include <torch/csrc/stable/library.h>

#include "../../csrc/ops/pixel_loss_launch.h"
#include "../../csrc/ops/pixel_pairwise_launch.h"

namespace fastiou {

STABLE_TORCH_LIBRARY(fastiou_emulated_pixels, m) {
  m.def(kPixelLossSchema);
  m.def(kPixelPairwiseSchema);
  m.def(kPixelPairwiseBackwardSchema);
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated_pixels, CPU, m) {
  m.impl("pixel_loss", TORCH_BOX(&pixel_loss<run_pixel_loss<EmulatedLaunch>>));
  m.impl("pixel_pairwise", TORCH_BOX(&pixel_pairwise<run_pixel_pairwise<EmulatedLaunch>>));
  m.impl("pixel_pairwise_backward", TORCH_BOX(&pixel_pairwise_backward<run_pixel_backward<EmulatedLaunch>>));
}

}  // namespace fastiou
