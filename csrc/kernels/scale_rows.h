// out[row, :] = partials[row, :] * grad[row]: the whole backward pass of an aligned loss, whose forward pass has
// already written the partial derivatives.
#pragma once
#include "operand.h"

namespace fastiou {

struct ScaleRowsArgs {
  Rows rows;
  int64_t width = 4;  // or 5, of rotated boxes
  Operand partials;   // (rows, width), compute dtype
  Operand grad;       // (rows), compute dtype
  Operand out;        // (rows, width), any dtype
};

}  // namespace fastiou
