#include <torch/csrc/stable/library.h>

#include "../kernels/matrix_nms_cpu.h"
#include "../kernels/nms_cpu.h"
#include "../kernels/rotated_nms_cpu.h"
#include "../kernels/soft_nms_cpu.h"
#include "nms.h"
#include "parallel.h"

namespace fastiou {
namespace {

struct OnTorchThreads {
  template <class Task> void operator()(int64_t count, const Task& task) const { for_tasks(count, task); }
};

// The rule of overlap: for rotated boxes by the stages.
template <Real T> RowOverlap<T> overlap_of(const BoxSet& boxes, const OverlapKind& o) {
  return boxes.rotated() ? rotated_overlap<T>(o.kind, boxes.format) : RowOverlap<T>(o);
}

bool run_nms(const NmsCall& call, const Tensor&) {
  const NmsArgs& a = call.args;
  const OnTorchThreads threads;
  return call.compute == ScalarType::Double ? nms_cpu(a, overlap_of<double>(a.in.boxes, a.overlap), threads)
                                            : nms_cpu(a, overlap_of<float>(a.in.boxes, a.overlap), threads);
}

bool run_soft_nms(const SoftNmsCall& call, const Tensor&) {
  const SoftNmsArgs& a = call.args;
  const OnTorchThreads threads;
  return call.compute == ScalarType::Double ? soft_nms_cpu(a, overlap_of<double>(a.in.boxes, a.overlap), threads)
                                            : soft_nms_cpu(a, overlap_of<float>(a.in.boxes, a.overlap), threads);
}

bool run_matrix_nms(const MatrixNmsCall& call, const Tensor&) {
  const MatrixNmsArgs& a = call.args;
  const OnTorchThreads threads;
  return call.compute == ScalarType::Double ? matrix_nms_cpu(a, overlap_of<double>(a.in.boxes, a.overlap), threads)
                                            : matrix_nms_cpu(a, overlap_of<float>(a.in.boxes, a.overlap), threads);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) {
  m.impl("nms", TORCH_BOX(&nms<run_nms>));
  m.impl("soft_nms", TORCH_BOX(&soft_nms<run_soft_nms>));
  m.impl("matrix_nms", TORCH_BOX(&matrix_nms<run_matrix_nms>));
}

}  // namespace fastiou
