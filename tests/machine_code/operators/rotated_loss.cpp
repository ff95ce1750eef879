#include "launch.h"

#include "../../../csrc/ops/rotated_loss_launch.h"

namespace fastiou {

template <class Launch, class Library> static void implement(Library& m) {
  m.impl("rotated_loss", TORCH_BOX(&rotated_loss<run_rotated_loss<Launch>>));
}
MACHINE_OPERATORS(implement)

}  // namespace fastiou
