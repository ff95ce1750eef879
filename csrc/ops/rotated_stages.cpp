// The stages are compiled here, once, for all operators.
#include "../kernels/rotated_stages_cpu.h"

namespace fastiou {

template class RotatedStages<float>;
template class RotatedStages<double>;

}  // namespace fastiou
