#include "launch.h"

#include "../../../csrc/ops/pixel_pairwise_launch.h"

namespace fastiou {

template <class Launch, class Library> static void implement(Library& m) {
  m.impl("pixel_pairwise", TORCH_BOX(&pixel_pairwise<run_pixel_pairwise<Launch>>));
  m.impl("pixel_pairwise_backward", TORCH_BOX(&pixel_pairwise_backward<run_pixel_backward<Launch>>));
}
MACHINE_OPERATORS(implement)

}  // namespace fastiou
