// The stages in float32 are compiled here, once, for all operators.
#include "../kernels/rotated_stages_cpu.h"

namespace fastiou {

template class RotatedStages<float>;

}  // namespace fastiou
