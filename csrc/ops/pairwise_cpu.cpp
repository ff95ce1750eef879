#include <torch/csrc/stable/library.h>

#include "../kernels/pairwise_backward_cpu.h"
#include "../kernels/pairwise_cpu.h"
#include "parallel.h"
#include "pairwise.h"

namespace fastiou {
namespace {

template <Real T> bool run_pairwise(const PairwiseCall& call, int64_t kind) {
  const PairwiseTasks<T> tasks(call.args, kind);
  if (!tasks.ok()) return false;
  for_tasks(tasks.count(), tasks);
  return true;
}

bool pairwise_cpu(const PairwiseCall& call, int64_t kind) {
  return call.compute == ScalarType::Double ? run_pairwise<double>(call, kind) : run_pairwise<float>(call, kind);
}

template <Real T> bool run_backward(const PairwiseBackwardCall& call, int64_t kind) {
  const PairwiseBackwardTasks<T> tasks(call.args, kind);
  if (!tasks.ok()) return false;
  for_tasks(tasks.count(), tasks);
  for_tasks(tasks.finish_count(), [&](int64_t task) { tasks.finish(task); });
  return true;
}

bool pairwise_backward_cpu(const PairwiseBackwardCall& call, int64_t kind) {
  return call.compute == ScalarType::Double ? run_backward<double>(call, kind) : run_backward<float>(call, kind);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) {
  m.impl("pairwise", TORCH_BOX(&pairwise<pairwise_cpu>));
  m.impl("pairwise_backward", TORCH_BOX(&pairwise_backward<pairwise_backward_cpu>));
}

}  // namespace fastiou
