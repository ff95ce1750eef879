#include "launch.h"

#include "../../../csrc/ops/pixel_loss_launch.h"

namespace fastiou {

template <class Launch, class Library> static void implement(Library& m) {
  m.impl("pixel_loss", TORCH_BOX(&pixel_loss<run_pixel_loss<Launch>>));
}
MACHINE_OPERATORS(implement)

}  // namespace fastiou
