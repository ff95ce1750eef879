// Torch tensors -> the plain structs that kernels take.
#pragma once
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/Exception.h>

#include <initializer_list>
#include <vector>

#include "../kernels/operand.h"

namespace fastiou {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

inline DType dtype_of(const Tensor& t) {
  switch (t.scalar_type()) {
    case ScalarType::Half: return DType::f16;
    case ScalarType::BFloat16: return DType::bf16;
    case ScalarType::Float: return DType::f32;
    case ScalarType::Double: return DType::f64;
    case ScalarType::Bool: return DType::boolean;
    case ScalarType::Byte: return DType::u8;
    case ScalarType::Char: return DType::i8;
    case ScalarType::Short: return DType::i16;
    case ScalarType::Int: return DType::i32;
    case ScalarType::Long: return DType::i64;
    default: STD_TORCH_CHECK(false, "fastiou: there are no kernels for this dtype");
  }
}

inline bool is_floating(DType dtype) { return dtype <= DType::f64; }

inline int64_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64: return 8;
    case DType::f32:
    case DType::i32: return 4;
    case DType::boolean:
    case DType::u8:
    case DType::i8: return 1;
    default: return 2;
  }
}

inline Tensor empty_strided(const std::vector<int64_t>& size, const std::vector<int64_t>& stride, ScalarType dtype,
                            const Tensor& like) {
  int32_t device_type;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(like.get(), &device_type));
  const int32_t code = torch::stable::detail::to<int32_t>(torch::stable::detail::from(dtype));
  AtenTensorHandle handle;
  TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(static_cast<int64_t>(size.size()), size.data(), stride.data(), code,
                                                  device_type, like.get_device_index(), &handle));
  return Tensor(handle);
}

inline Tensor empty(const std::vector<int64_t>& size, ScalarType dtype, const Tensor& like) {
  std::vector<int64_t> stride(size.size());
  int64_t next = 1;
  for (size_t d = size.size(); d-- > 0;) stride[d] = next, next *= size[d] > 0 ? size[d] : 1;
  return empty_strided(size, stride, dtype, like);
}

// An empty tensor of the shape of `like`, in the same memory order if that leaves no holes, else contiguous: the
// gradient of a permuted head comes back permuted.
inline Tensor empty_dense_like(const Tensor& like, ScalarType dtype) {
  const int64_t n = like.dim();
  std::vector<int64_t> size(n), stride(n), order;
  for (int64_t d = 0; d < n; ++d) {
    size[d] = like.size(d), stride[d] = like.stride(d);
    if (size[d] != 1) order.push_back(d);
  }
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return stride[a] < stride[b]; });
  int64_t next = 1;
  bool dense = true;
  for (const int64_t d : order) dense = dense && stride[d] == next && size[d] > 0, next *= size[d];
  return dense ? empty_strided(size, stride, dtype, like) : empty(size, dtype, like);
}

// A tensor to be seen by a kernel: its leading dimensions are the rows, its last one, if it has one more, the width.
struct View {
  Operand* operand;
  const Tensor* tensor;
};

// Fills `rows` from the leading dimensions of the first view, and every operand; merges neighbouring dimensions.
inline void view_rows(Rows& rows, int64_t leading, std::initializer_list<View> views) {
  const Tensor& first = *views.begin()->tensor;
  rows.count = 1;
  for (int64_t d = 0; d < leading; ++d) rows.count *= first.size(d);
  for (const View& v : views) {
    Operand& o = *v.operand;
    const bool wide = v.tensor->dim() > leading;
    o.data = const_cast<void*>(v.tensor->const_data_ptr());
    o.dtype = dtype_of(*v.tensor);
    o.inner = wide ? v.tensor->stride(leading) : 1;
  }
  rows.ndim = 0;
  for (int64_t d = 0; d < leading; ++d) {
    const int64_t size = first.size(d);
    if (size == 1) continue;
    bool merge = rows.ndim > 0;
    for (const View& v : views)
      merge = merge && v.operand->stride[rows.ndim - 1] == v.tensor->stride(d) * size;
    if (!merge) {
      STD_TORCH_CHECK(rows.ndim < kMaxDims, "fastiou: the strides of these boxes span more than ", kMaxDims,
                      " separate dimensions; call .contiguous() on them first");
      rows.size[rows.ndim++] = 1;
    }
    rows.size[rows.ndim - 1] *= size;
    for (const View& v : views) v.operand->stride[rows.ndim - 1] = v.tensor->stride(d);
  }
  if (rows.ndim == 0) {  // a single row
    rows.size[rows.ndim++] = 1;
    for (const View& v : views) v.operand->stride[0] = 0;
  }
  for (const View& v : views) {
    Operand& o = *v.operand;
    const int64_t width = v.tensor->dim() > leading ? v.tensor->size(leading) : 1;
    const int64_t element = size_of(o.dtype);
    const int64_t alignment = std::min<int64_t>(16, width * element);
    o.packed = (width & (width - 1)) == 0 && o.inner == 1 && reinterpret_cast<uintptr_t>(o.data) % alignment == 0;
    for (int d = 0; d < rows.ndim; ++d) o.packed = o.packed && o.stride[d] * element % alignment == 0;
  }
}

}  // namespace fastiou
