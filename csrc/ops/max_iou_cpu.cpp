#include <torch/csrc/stable/library.h>

#include "../kernels/max_iou_cpu.h"
#include "max_iou.h"
#include "parallel.h"

namespace fastiou {
namespace {

template <Real T> bool run_max_iou(const MaxIoUCall& call, int64_t kind) {
  const MaxIoUTasks<T> tasks(call.args, kind);
  if (!tasks.ok()) return false;
  for_tasks(tasks.count(), tasks);
  tasks.merge();
  return true;
}

bool max_iou_cpu(const MaxIoUCall& call, int64_t kind) {
  return call.compute == ScalarType::Double ? run_max_iou<double>(call, kind) : run_max_iou<float>(call, kind);
}

template <Real T> bool run_tied_gts(const TiedGtsCall& call, int64_t kind) {
  const TiedGtsTasks<T> tasks(call.args, kind);
  if (!tasks.ok()) return false;
  for_tasks(tasks.count(), tasks);
  return true;
}

bool tied_gts_cpu(const TiedGtsCall& call, int64_t kind) {
  return call.compute == ScalarType::Double ? run_tied_gts<double>(call, kind) : run_tied_gts<float>(call, kind);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) {
  m.impl("max_iou", TORCH_BOX(&max_iou<max_iou_cpu>));
  m.impl("tied_gts", TORCH_BOX(&tied_gts<tied_gts_cpu>));
}

}  // namespace fastiou
