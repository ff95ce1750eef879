// out[row, :] = partials[row, :] * grad[row]: the whole backward pass of an aligned loss, whose forward pass has
// already written the partial derivatives.
#pragma once
#include "operand.h"

namespace fastiou {

struct ScaleRowsArgs {
  Rows rows;
  Operand partials;  // (rows, 4), compute dtype
  Operand grad;      // (rows), compute dtype
  Operand out;       // (rows, 4), any dtype
};

}  // namespace fastiou
