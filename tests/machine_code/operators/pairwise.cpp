#include "launch.h"

#include "../../../csrc/ops/pairwise_launch.h"

namespace fastiou {

template <class Launch, class Library> static void implement(Library& m) {
  m.impl("pairwise", TORCH_BOX(&pairwise<run_pairwise<Launch>>));
  m.impl("pairwise_backward", TORCH_BOX(&pairwise_backward<run_pairwise_backward<Launch>>));
}
MACHINE_OPERATORS(implement)

}  // namespace fastiou
