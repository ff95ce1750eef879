#include "launch.h"

#include "../../../csrc/ops/pair_loss_launch.h"
#include "../../../csrc/ops/scale_rows_launch.h"

namespace fastiou {

template <class Launch, class Library> static void implement(Library& m) {
  m.impl("pair_loss", TORCH_BOX(&pair_loss<run_pair_loss<Launch>>));
  m.impl("scale_rows", TORCH_BOX(&scale_rows<run_scale_rows<Launch>>));
}
MACHINE_OPERATORS(implement)

}  // namespace fastiou
