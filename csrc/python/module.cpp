// fastiou._core: what Python asks of the compiled code without torch: the registry, the facts of the build, and the
// kernels for NumPy arrays.
#include "module.h"

#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "../math/link.h"
#include "../math/rotated_kinds.h"

namespace py = pybind11;

namespace {

template <class... K> std::vector<std::string> names(fastiou::TypeList<K...>) { return {K::name...}; }
template <size_t n> std::vector<std::string> names(const char* const (&list)[n]) { return {list, list + n}; }

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "Registry and build facts of fastiou's compiled code, and its kernels for NumPy arrays.";
  m.def("kinds", [] { return names(fastiou::Kinds{}); }, "Names of the loss kinds, in the order of the registry.");
  m.def("pairwise_kinds", [] { return names(fastiou::PairwiseKinds{}); },
        "The same, with the kinds that are scores alone.");
  m.def("formats", [] { return names(fastiou::format_names); }, "Names of the box formats.");
  m.def("rotated_kinds", [] { return names(fastiou::RotatedKinds{}); }, "What is asked of two rotated boxes.");
  m.def("enclosings", [] { return names(fastiou::enclosing_names); }, "What encloses them.");
  m.def("links", [] { return names(fastiou::link_names); }, "How scores become losses.");
  m.def(
      "build", [] {
        py::dict facts;
        facts["compiler"] = FASTIOU_COMPILER;
        facts["torch"] = FASTIOU_TORCH;
        facts["cuda"] = FASTIOU_CUDA_BUILD;
        return facts;
      },
      "How this module was built: compiler, torch headers, CUDA toolkit and architectures, or why there is no CUDA.");
  fastiou::add_pairwise(m);
  fastiou::add_max_iou(m);
  fastiou::add_nms(m);
}
