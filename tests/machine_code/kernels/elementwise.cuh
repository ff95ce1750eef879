// One kernel per expression, a thread per element: `x`, `y` and `z` are inputs of one type, the result of another.
#pragma once
#define KERNEL(name, In, Out, expression)                                                                    \
  extern "C" __global__ void name(const In* xs, const In* ys, const In* zs, Out* out, unsigned n) {          \
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;                                                \
    if (i >= n) return;                                                                                      \
    const In x = xs[i], y = ys[i], z = zs[i];                                                                \
    out[i] = (expression);                                                                                   \
    (void)x, (void)y, (void)z;                                                                               \
  }
