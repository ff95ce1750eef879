#include "../kernels/nms_cpu.h"

#include <pybind11/stl.h>

#include <memory>
#include <optional>

#include "../kernels/soft_nms_cpu.h"
#include "arrays.h"
#include "module.h"

namespace py = pybind11;

namespace fastiou {
namespace {

// boxes (1, N, 4), scores (N,), idxs (N,) or None.
Detections detections(const py::array& boxes, const py::array& scores, const std::optional<py::array>& idxs,
                      int64_t format) {
  Detections d;
  d.boxes = box_set("boxes", boxes, format);
  require(boxes.shape(0) == 1, "boxes", "of one batch");
  const auto column = [&](const char* name, const py::array& a, bool floating) {
    require(a.ndim() == 1 && a.shape(0) == d.boxes.count, name, "one for every box");
    require_aligned(name, a);
    require((a.dtype().kind() == 'f') == floating, name, floating ? "floating point" : "integers");
    return dtype_of(name, a);
  };
  d.score_dtype = column("scores", scores, true);
  d.scores = scores.data();
  d.score_stride = scores.strides(0) / scores.itemsize();
  if (idxs) {
    d.class_dtype = column("idxs", *idxs, false);
    d.classes = idxs->data();
    d.class_stride = idxs->strides(0) / idxs->itemsize();
  }
  return d;
}

py::array_t<int64_t> nms(const py::array& boxes, const py::array& scores, const std::optional<py::array>& idxs,
                         double threshold, int64_t kind, double beta, int64_t format) {
  NmsArgs args;
  args.in = detections(boxes, scores, idxs, format);
  args.overlap = {kind, beta};
  args.threshold = threshold;
  const auto keep = std::make_unique<bool[]>(args.in.boxes.count);
  std::vector<int64_t> selected(args.in.boxes.count);
  int64_t count = 0;
  args.keep = keep.get();
  args.selected = selected.data();
  args.kept_count = &count;
  bool ok = false;
  {
    const py::gil_scoped_release release;
    ok = needs_double(args.in.boxes.dtype) ? nms_cpu(args, RowOverlap<double>(args.overlap), OneByOne{})
                                           : nms_cpu(args, RowOverlap<float>(args.overlap), OneByOne{});
  }
  require(ok, "kind", "of the registry");
  return py::array_t<int64_t>(count, selected.data());
}

py::tuple soft_nms(const py::array& boxes, const py::array& scores, const std::optional<py::array>& idxs, bool gaussian,
                   double sigma, double threshold, double score_threshold, int64_t kind, int64_t format) {
  SoftNmsArgs args;
  args.in = detections(boxes, scores, idxs, format);
  args.overlap = {kind, 1};
  args.gaussian = gaussian, args.sigma = sigma, args.threshold = threshold, args.score_threshold = score_threshold;
  std::vector<int64_t> selected(args.in.boxes.count);
  args.out_dtype = args.in.score_dtype == DType::f64 ? DType::f64 : DType::f32;
  py::array decayed = scores_array(args.out_dtype == DType::f64, {args.in.boxes.count});
  int64_t count = 0;
  args.selected = selected.data();
  args.scores = decayed.mutable_data();
  args.kept_count = &count;
  const bool in_double = needs_double(args.in.boxes.dtype) || needs_double(args.in.score_dtype);
  bool ok = false;
  {
    const py::gil_scoped_release release;
    ok = in_double ? soft_nms_cpu(args, RowOverlap<double>(args.overlap), OneByOne{})
                   : soft_nms_cpu(args, RowOverlap<float>(args.overlap), OneByOne{});
  }
  require(ok, "kind", "of the registry");
  decayed.resize({count});
  return py::make_tuple(py::array_t<int64_t>(count, selected.data()), decayed);
}

}  // namespace

void add_nms(py::module_& m) {
  m.def("nms", &nms, "Indices of the boxes that are kept, best first.");
  m.def("soft_nms", &soft_nms, "Indices in the order of selection, and the scores then.");
}

}  // namespace fastiou
