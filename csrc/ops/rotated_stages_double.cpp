// The stages in float64, which is for checks: without clones for newer processors, they compile three times as fast.
#define FASTIOU_CLONES __attribute__((noinline))
#include "../kernels/rotated_stages_cpu.h"

namespace fastiou {

template class RotatedStages<double>;

}  // namespace fastiou
