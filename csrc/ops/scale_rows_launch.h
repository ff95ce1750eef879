// Which kernel runs for the backward pass of the aligned losses, and on which grid.
#pragma once
#include "../kernels/scale_rows_cuda.cuh"
#include "launch.h"
#include "pair_loss.h"

namespace fastiou {

// The operator: a launcher is made for the tensors' device.
template <class Launch> void run_scale_rows(const ScaleRowsCall& call) {
  if (call.args.rows.count == 0) return;
  const Launch launch(call.out);
  const bool wide = call.args.width == 5, doubles = call.compute == ScalarType::Double;
  if (const std::optional<ScaleNumbersArgs> numbers = as_numbers(call.args)) {
    const Blocks tiles = tile_blocks((int64_t(numbers->count) + kScaledNumbers - 1) / kScaledNumbers);
    return launch(wide ? scale_numbers_kernel<5> : scale_numbers_kernel<4>, tiles, kThreads, *numbers);
  }
  const auto kernel = doubles ? (wide ? scale_rows_kernel<5, double> : scale_rows_kernel<4, double>)
                              : (wide ? scale_rows_kernel<5, float> : scale_rows_kernel<4, float>);
  launch(kernel, walking_blocks(launch, call.args.rows.count), kThreads, call.args);
}

}  // namespace fastiou
