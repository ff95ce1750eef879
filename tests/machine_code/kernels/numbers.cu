// Arithmetic of floats, doubles and halves.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "elementwise.cuh"

KERNEL(float_add, float, float, x + y)
KERNEL(float_multiply, float, float, x * y)
KERNEL(float_fused, float, float, fmaf(x, y, z))
KERNEL(float_divide, float, float, x / y)
KERNEL(float_reciprocal, float, float, __frcp_rn(x))
KERNEL(float_root, float, float, sqrtf(x))
KERNEL(float_add_up, float, float, __fadd_ru(x, y))
KERNEL(float_add_down, float, float, __fadd_rd(x, y))
KERNEL(float_multiply_zero, float, float, __fmul_rz(x, y))
KERNEL(float_multiply_up, float, float, __fmul_ru(x, y))
KERNEL(float_fused_down, float, float, __fmaf_rd(x, y, z))
KERNEL(float_least, float, float, fminf(x, y))
KERNEL(float_most, float, float, fmaxf(x, y))
KERNEL(float_least_nan, float, float, ({ float r; asm("min.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y)); r; }))
KERNEL(float_choose, float, float, x < y ? -x : fabsf(y))
KERNEL(float_saturate, float, float, __saturatef(x))
KERNEL(float_flush_add, float, float, ({ float r; asm("add.ftz.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y)); r; }))
KERNEL(float_compare, float, unsigned,
       (x < y) | (x <= y) << 1 | (x > y) << 2 | (x >= y) << 3 | (x == y) << 4 | (x != y) << 5 | !(x < y) << 6 |
           !(x <= y) << 7 | isnan(x) << 8 | (isnan(x) || isnan(y)) << 9)
KERNEL(float_sign, float, float, (x > y ? 1.0f : 0.0f) + (x < y ? 1.0f : 0.0f) * z)

KERNEL(double_add, double, double, x + y)
KERNEL(double_multiply, double, double, x * y)
KERNEL(double_fused, double, double, fma(x, y, z))
KERNEL(double_divide, double, double, x / y)
KERNEL(double_root, double, double, sqrt(x))
KERNEL(double_reciprocal_root, double, double, rsqrt(x))
KERNEL(double_add_up, double, double, __dadd_ru(x, y))
KERNEL(double_multiply_down, double, double, __dmul_rd(x, y))
KERNEL(double_least, double, double, fmin(x, y))
KERNEL(double_most, double, double, fmax(x, y))
KERNEL(double_choose, double, double, x < y ? -x : fabs(y))
KERNEL(double_compare, double, unsigned,
       (x < y) | (x <= y) << 1 | (x > y) << 2 | (x >= y) << 3 | (x == y) << 4 | (x != y) << 5 | !(x < y) << 6 |
           !(x <= y) << 7 | isnan(x) << 8 | (isnan(x) || isnan(y)) << 9)
KERNEL(double_sine, double, double, sin(x))
KERNEL(double_logarithm, double, double, log(x))

// Functions, exact and approximate.
KERNEL(float_exponential, float, float, expf(x))
KERNEL(float_logarithm, float, float, logf(x))
KERNEL(float_sine, float, float, sinf(x))
KERNEL(float_arctangent, float, float, atan2f(x, y))
KERNEL(float_hyperbolic, float, float, tanhf(x))
KERNEL(float_power, float, float, powf(x, y))
KERNEL(fast_exponential, float, float, __expf(x))
KERNEL(fast_logarithm, float, float, __logf(x))
KERNEL(fast_sine, float, float, __sinf(x))
KERNEL(fast_cosine, float, float, __cosf(x))
KERNEL(fast_divide, float, float, __fdividef(x, y))
KERNEL(fast_reciprocal_root, float, float, rsqrtf(x))
KERNEL(fast_reciprocal, float, float, ({ float r; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x)); r; }))

KERNEL(half_fused, __half, __half, __hfma(x, y, z))
KERNEL(half_add, __half, __half, __hadd(x, y))
KERNEL(half_multiply, __half, __half, __hmul(x, y))
KERNEL(half_to_float, __half, float, __half2float(x) + 1.0f)
KERNEL(brain_fused, __nv_bfloat16, __nv_bfloat16, __hfma(x, y, z))
KERNEL(brain_to_float, __nv_bfloat16, float, __bfloat162float(x) * 3.0f)
KERNEL(float_to_half, float, __half, __float2half_rn(x))
KERNEL(float_to_brain, float, __nv_bfloat16, __float2bfloat16_rn(x))
KERNEL(double_to_half, double, __half, __double2half(x))

// Two halves at a time.
extern "C" __global__ void half_pairs(const __half2* x, const __half2* y, const __half2* z, __half2* out, unsigned n) {
  const unsigned i = threadIdx.x;
  if (i < n) out[i] = __hfma2(__lowhigh2highlow(x[i]), y[i], __half2half2(__high2half(z[i])));
}
