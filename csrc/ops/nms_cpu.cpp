#include <torch/csrc/stable/library.h>

#include "../kernels/matrix_nms_cpu.h"
#include "../kernels/nms_cpu.h"
#include "../kernels/soft_nms_cpu.h"
#include "nms.h"
#include "parallel.h"

namespace fastiou {
namespace {

struct OnTorchThreads {
  template <class Task> void operator()(int64_t count, const Task& task) const { for_tasks(count, task); }
};

bool run_nms(const NmsCall& call, const Tensor&) {
  const OnTorchThreads threads;
  return call.compute == ScalarType::Double ? nms_cpu<double>(call.args, threads) : nms_cpu<float>(call.args, threads);
}

bool run_soft_nms(const SoftNmsCall& call, const Tensor&) {
  const OnTorchThreads threads;
  return call.compute == ScalarType::Double ? soft_nms_cpu<double>(call.args, threads)
                                            : soft_nms_cpu<float>(call.args, threads);
}

bool run_matrix_nms(const MatrixNmsCall& call, const Tensor&) {
  const OnTorchThreads threads;
  return call.compute == ScalarType::Double ? matrix_nms_cpu<double>(call.args, threads)
                                            : matrix_nms_cpu<float>(call.args, threads);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) {
  m.impl("nms", TORCH_BOX(&nms<run_nms>));
  m.impl("soft_nms", TORCH_BOX(&soft_nms<run_soft_nms>));
  m.impl("matrix_nms", TORCH_BOX(&matrix_nms<run_matrix_nms>));
}

}  // namespace fastiou
