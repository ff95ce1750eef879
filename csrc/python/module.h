// What each file of this folder adds to the module.
#pragma once
#include <pybind11/pybind11.h>

namespace fastiou {

void add_pairwise(pybind11::module_& m);
void add_max_iou(pybind11::module_& m);
void add_nms(pybind11::module_& m);

}  // namespace fastiou
