// Torch tensors -> the plain structs that kernels take.
#pragma once
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/Exception.h>

#include <algorithm>
#include <iterator>

#include "../kernels/operand.h"

namespace fastiou {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

inline DType dtype_of(const Tensor& t) {
  int32_t code;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(t.get(), &code));
  static const int32_t codes[] = {aoti_torch_dtype_float16(), aoti_torch_dtype_bfloat16(), aoti_torch_dtype_float32(),
                                  aoti_torch_dtype_float64(), aoti_torch_dtype_bool(),     aoti_torch_dtype_uint8(),
                                  aoti_torch_dtype_int8(),    aoti_torch_dtype_int16(),    aoti_torch_dtype_int32(),
                                  aoti_torch_dtype_int64()};  // in the order of DType
  const auto* const found = std::find(std::begin(codes), std::end(codes), code);
  STD_TORCH_CHECK(found != std::end(codes), "fastiou: there are no kernels for this dtype");
  return static_cast<DType>(found - codes);
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

// What is asked of a tensor again and again, read once: every question is a call into another library. Sizes and
// strides are the tensor's own.
struct Layout {
  int64_t dim;
  const int64_t *size, *stride;
  DType dtype;
  int32_t device_type, device_index;

  Layout() = default;
  explicit Layout(const Tensor& t) : dtype(dtype_of(t)) {
    int64_t *sizes, *strides;
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_dim(t.get(), &dim));
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_sizes(t.get(), &sizes));
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_strides(t.get(), &strides));
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(t.get(), &device_type));
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_index(t.get(), &device_index));
    size = sizes, stride = strides;
  }

  bool is_beside(const Layout& other) const {
    return device_type == other.device_type && device_index == other.device_index;
  }
};

using Sizes = torch::headeronly::IntHeaderOnlyArrayRef;

constexpr int kMostTensorDims = 64;  // torch's own limit

inline Tensor empty_strided(int64_t dim, const int64_t* size, const int64_t* stride, ScalarType dtype,
                            const Layout& like) {
  const int32_t code = torch::stable::detail::to<int32_t>(torch::stable::detail::from(dtype));
  AtenTensorHandle handle;
  TORCH_ERROR_CODE_CHECK(
      aoti_torch_empty_strided(dim, size, stride, code, like.device_type, like.device_index, &handle));
  return Tensor(handle);
}

// An empty tensor on the device of `like`.
inline Tensor empty(Sizes size, ScalarType dtype, const Layout& like) {
  int64_t stride[kMostTensorDims], next = 1;
  for (size_t d = size.size(); d-- > 0;) stride[d] = next, next *= std::max<int64_t>(size[d], 1);
  return empty_strided(static_cast<int64_t>(size.size()), size.data(), stride, dtype, like);
}
inline Tensor empty(Sizes size, ScalarType dtype, const Tensor& like) { return empty(size, dtype, Layout(like)); }

// Whether the elements of a tensor lie side by side, in whatever order of the dimensions.
inline bool is_dense(const Layout& t) {
  int64_t order[kMostTensorDims];
  int64_t n = 0, next = 1;
  for (int64_t d = t.dim; d-- > 0;)  // innermost first: nothing is left to sort in a contiguous tensor
    if (t.size[d] != 1) order[n++] = d;
  std::stable_sort(order, order + n, [&](int64_t a, int64_t b) { return t.stride[a] < t.stride[b]; });
  for (int64_t i = 0; i < n; ++i) {
    const int64_t d = order[i];
    if (t.stride[d] != next || t.size[d] == 0) return false;
    next *= t.size[d];
  }
  return true;
}

// An empty tensor of the shape of `like`, in the same memory order if that leaves no holes, else contiguous: the
// gradient of a permuted head comes back permuted.
inline Tensor empty_dense_like(const Layout& like, ScalarType dtype) {
  if (is_dense(like)) return empty_strided(like.dim, like.size, like.stride, dtype, like);
  return empty(Sizes(like.size, like.dim), dtype, like);
}

// Tensors with rows in common, as kernels see them: the leading dimensions are the rows, the last one, of tensors that
// have one more, is the width.
class RowViews {
 public:
  explicit RowViews(int64_t leading) : leading_(leading) {}

  void add(Operand& operand, const Tensor& tensor, const Layout& t) {
    operand.data = const_cast<void*>(tensor.const_data_ptr());
    operand.dtype = t.dtype;
    operand.inner = t.dim > leading_ ? t.stride[leading_] : 1;
    views_[count_++] = {&operand, t};
  }
  void add(Operand& operand, const Tensor& tensor) { add(operand, tensor, Layout(tensor)); }

  // Fills the rows, of which the first tensor has the sizes, and the strides of every operand; merges neighbouring
  // dimensions.
  void fill(Rows& rows) const {
    const int64_t* const sizes = views_[0].layout.size;
    rows.count = 1;
    rows.ndim = 0;
    for (int64_t d = 0; d < leading_; ++d) {
      rows.count *= sizes[d];
      if (sizes[d] == 1) continue;
      if (rows.ndim == 0 || !continues(rows.ndim - 1, d, sizes[d])) {
        STD_TORCH_CHECK(rows.ndim < kMaxDims, "fastiou: the strides of these boxes span more than ", kMaxDims,
                        " separate dimensions; call .contiguous() on them first");
        rows.size[rows.ndim++] = 1;
      }
      rows.size[rows.ndim - 1] *= sizes[d];
      for (int i = 0; i < count_; ++i) views_[i].operand->stride[rows.ndim - 1] = views_[i].layout.stride[d];
    }
    if (rows.ndim == 0) {  // a single row
      rows.size[rows.ndim++] = 1;
      for (int i = 0; i < count_; ++i) views_[i].operand->stride[0] = 0;
    }
    for (int i = 0; i < count_; ++i) views_[i].operand->packed = is_packed(views_[i], rows.ndim);
  }

 private:
  static constexpr int kMost = 7;  // the loss, two boxes, their gradients, weights and points
  struct View {
    Operand* operand;
    Layout layout;
  };

  // Whether dimension d of all tensors goes on where the rows' dimension `last` ends.
  bool continues(int last, int64_t d, int64_t size) const {
    for (int i = 0; i < count_; ++i)
      if (views_[i].operand->stride[last] != views_[i].layout.stride[d] * size) return false;
    return true;
  }

  bool is_packed(const View& v, int ndim) const {
    const Operand& o = *v.operand;
    const int64_t width = v.layout.dim > leading_ ? v.layout.size[leading_] : 1, element = size_of(o.dtype);
    const int64_t alignment = std::min<int64_t>(16, width * element);
    bool packed = (width & (width - 1)) == 0 && o.inner == 1 && reinterpret_cast<uintptr_t>(o.data) % alignment == 0;
    for (int d = 0; d < ndim; ++d) packed = packed && o.stride[d] * element % alignment == 0;
    return packed;
  }

  int64_t leading_;
  int count_ = 0;
  View views_[kMost];
};

}  // namespace fastiou
