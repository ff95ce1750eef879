// NumPy arrays -> sets of boxes.
#pragma once
#include <pybind11/numpy.h>

#include <string>

#include "../kernels/box_set.h"

namespace fastiou {

// Python has checked the arguments, with their names, and copied what kernels cannot read. What is left here protects
// memory.
inline void require(bool ok, const char* name, const char* what) {
  if (!ok) throw pybind11::value_error(std::string(name) + ": must be " + what);
}

inline DType dtype_of(const char* name, const pybind11::array& a) {
  const pybind11::dtype dtype = a.dtype();
  require(dtype.attr("isnative").cast<bool>(), name, "in native byte order");
  const char kind = dtype.kind();
  const auto size = a.itemsize();
  if (kind == 'f' && size == 2) return DType::f16;
  if (kind == 'f' && size == 4) return DType::f32;
  if (kind == 'f' && size == 8) return DType::f64;
  if (kind == 'u' && size == 1) return DType::u8;
  if (kind == 'i' && size == 1) return DType::i8;
  if (kind == 'i' && size == 2) return DType::i16;
  if (kind == 'i' && size == 4) return DType::i32;
  if (kind == 'i' && size == 8) return DType::i64;
  throw pybind11::value_error(std::string(name) + ": must be of a dtype that kernels read");
}

// Strides are whole elements.
inline void require_aligned(const char* name, const pybind11::array& a) {
  const auto size = a.itemsize();
  bool aligned = reinterpret_cast<std::uintptr_t>(a.data()) % size == 0;
  for (int d = 0; d < a.ndim(); ++d) aligned &= a.shape(d) < 2 || a.strides(d) % size == 0;
  require(aligned || a.size() == 0, name, "aligned");
}

// Boxes (batch, count, 4).
inline BoxSet box_set(const char* name, const pybind11::array& boxes, int64_t format) {
  require(boxes.ndim() == 3 && boxes.shape(2) == 4, name, "(batch, count, 4)");
  BoxSet s;
  s.data = boxes.data();
  s.dtype = dtype_of(name, boxes);
  const auto size = boxes.itemsize();
  require_aligned(name, boxes);
  require(format >= 0 && format < static_cast<int64_t>(Format::ltrb), name, "xyxy, xywh or cxcywh");
  s.format = static_cast<Format>(format);
  s.count = boxes.shape(1);
  s.batch_stride = boxes.strides(0) / size;
  s.stride = boxes.strides(1) / size;
  s.inner = boxes.strides(2) / size;
  return s;
}

// An array for what a kernel computes from these boxes: its dtype is that of the computation.
inline pybind11::array scores_array(bool in_double, std::vector<pybind11::ssize_t> shape) {
  if (in_double) return pybind11::array_t<double>(std::move(shape));
  return pybind11::array_t<float>(std::move(shape));
}

}  // namespace fastiou
