#include "launch.h"

#include "../../../csrc/ops/max_iou_launch.h"

namespace fastiou {

template <class Launch, class Library> static void implement(Library& m) {
  m.impl("max_iou", TORCH_BOX(&max_iou<run_max_iou<Launch>>));
  m.impl("tied_gts", TORCH_BOX(&tied_gts<run_tied_gts<Launch>>));
}
MACHINE_OPERATORS(implement)

}  // namespace fastiou
