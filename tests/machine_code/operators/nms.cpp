#include "launch.h"

#include "../../../csrc/ops/nms_launch.h"

namespace fastiou {

template <class Launch, class Library> static void implement(Library& m) {
  m.impl("nms", TORCH_BOX(&nms<run_nms<Launch>>));
  m.impl("soft_nms", TORCH_BOX(&soft_nms<run_soft_nms<Launch>>));
  m.impl("matrix_nms", TORCH_BOX(&matrix_nms<run_matrix_nms<Launch>>));
}
MACHINE_OPERATORS(implement)

}  // namespace fastiou
