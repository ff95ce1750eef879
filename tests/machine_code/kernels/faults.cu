// Kernels that are wrong, each in one way.
constexpr int kBlock = 64;

extern "C" __global__ void no_syncthreads(const int* in, int* out) {
  __shared__ int s[kBlock];
  s[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = s[kBlock - 1 - threadIdx.x];
}
// The second loop may write what others still read.
extern "C" __global__ void no_second_syncthreads(const int* in, int* out) {
  __shared__ int s[kBlock];
  int x = in[threadIdx.x];
#pragma unroll 1
  for (int k = 0; k < 2; ++k) {
    s[threadIdx.x] = x;
    __syncthreads();
    x += s[(threadIdx.x + 32) % kBlock];
  }
  out[threadIdx.x] = x;
}
extern "C" __global__ void no_syncwarp(const int* in, int* out) {
  __shared__ int s[32];
  s[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = static_cast<volatile int*>(s)[threadIdx.x ^ 1];
}
// A shuffle promises no order of memory.
extern "C" __global__ void shuffle_for_syncwarp(const int* in, int* out) {
  __shared__ int s[32];
  s[threadIdx.x] = in[threadIdx.x];
  const int x = __shfl_xor_sync(0xffffffffu, in[threadIdx.x], 1);
  out[threadIdx.x] = x + static_cast<volatile int*>(s)[threadIdx.x ^ 1];
}
extern "C" __global__ void same_place(const int* in, int* out) {
  __shared__ int s;
  if (in[threadIdx.x] > 0) s = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = s;
}

extern "C" __global__ void read_outside(const int* in, int* out, int n) { out[threadIdx.x] = in[threadIdx.x + n]; }
extern "C" __global__ void write_outside(const int* in, int* out, int n) { out[threadIdx.x + n] = in[threadIdx.x]; }
extern "C" __global__ void cross_end(const char* in, int2* out) {
  out[threadIdx.x] = reinterpret_cast<const int2*>(in)[threadIdx.x];
}
extern "C" __global__ void shared_outside(const int* in, int* out, int n) {
  __shared__ int s[kBlock];
  s[threadIdx.x + n] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}
extern "C" __global__ void shared_outside_read(const int* in, int* out, int n) {
  __shared__ int s[kBlock];
  s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x + n];
}
__noinline__ __device__ int at(const int* p, int n) { return p[n]; }
extern "C" __global__ void stack_outside(const int* in, int* out, int n) {
  int a[8];
  for (int k = 0; k < 8; ++k) a[k] = in[k] * k;
  out[threadIdx.x] = at(a, n);
}
extern "C" __global__ void misaligned(const char* in, float4* out, int shift) {
  out[threadIdx.x] = reinterpret_cast<const float4*>(in + shift)[threadIdx.x];
}
extern "C" __global__ void misaligned_shared(const float* in, float2* out, int shift) {
  __shared__ float s[4 * kBlock];
  for (int k = threadIdx.x; k < 4 * kBlock; k += kBlock) s[k] = in[k];
  __syncthreads();
  out[threadIdx.x] = *reinterpret_cast<const float2*>(s + 2 * threadIdx.x + shift);
}

extern "C" __global__ void unwritten(const int* in, int* out) { out[threadIdx.x] = in[threadIdx.x]; }
extern "C" __global__ void unwritten_shared(const int* in, int* out, int n) {
  __shared__ int s[kBlock];
  if (threadIdx.x < n) s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = s[kBlock - 1 - threadIdx.x];
}
extern "C" __global__ void unwritten_stack(const int* in, int* out, int n) {
  int a[8];
  for (int k = 0; k < n; ++k) a[k] = in[k];
  out[threadIdx.x] = a[in[threadIdx.x] & 7];
}

extern "C" __global__ void diverged_barrier(const int* in, int* out) {
  __shared__ int s[kBlock];
  s[threadIdx.x] = in[threadIdx.x];
  if (in[threadIdx.x] > 0) __syncthreads();
  out[threadIdx.x] = s[threadIdx.x ^ 32];
}
extern "C" __global__ void different_barriers(const int* in, int* out) {
  __shared__ int s[kBlock];
  s[threadIdx.x] = in[threadIdx.x];
  if (threadIdx.x < 32) {
    __syncthreads();
    s[threadIdx.x] += 1;
  } else {
    s[threadIdx.x] *= 3;
    __syncthreads();
  }
  out[threadIdx.x] = s[threadIdx.x];
}
extern "C" __global__ void exited_lane(const int* in, int* out) {
  const int x = in[threadIdx.x];
  if (x < 0) return;
  out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, x, 1);
}
// The lanes that the mask names are elsewhere.
extern "C" __global__ void absent_lanes(const int* in, unsigned* out) {
  const int x = in[threadIdx.x];
  unsigned y = 0;
  if (x > 0) y = __ballot_sync(0xffffffffu, x > 3);
  __syncwarp();
  out[threadIdx.x] = y;
}
extern "C" __global__ void not_in_mask(const int* in, unsigned* out) {
  const int x = in[threadIdx.x];
  unsigned y = 0;
  if (x > 0) y = __ballot_sync(0x0000000fu, x > 3);
  out[threadIdx.x] = y;
}

extern "C" __global__ void blocks_write(const int* in, int* out) {
  out[threadIdx.x] = in[blockIdx.x * kBlock + threadIdx.x];
}
extern "C" __global__ void blocks_read(int* both) {
  const int i = blockIdx.x * kBlock + threadIdx.x;
  const int x = both[(i + kBlock) % (gridDim.x * kBlock)];
  both[i] = x + 1;
}
extern "C" __global__ void threads_write(const int* in, int* out) {
  out[threadIdx.x / 2] = in[threadIdx.x];
}
// An atomic and a plain load of one number.
extern "C" __global__ void peek_plainly(unsigned* best, const unsigned* in, int* out) {
  const unsigned x = in[blockIdx.x * kBlock + threadIdx.x];
  if (x > *best) atomicMax(best, x);
  out[blockIdx.x * kBlock + threadIdx.x] = 0;
}
extern "C" __global__ void peek_volatile(unsigned* best, const unsigned* in, int* out) {
  const unsigned x = in[blockIdx.x * kBlock + threadIdx.x];
  if (x > *static_cast<volatile unsigned*>(best)) atomicMax(best, x);
  out[blockIdx.x * kBlock + threadIdx.x] = 0;
}
extern "C" __global__ void read_only_written(int* both, int n) {
#pragma unroll 1
  for (int k = 0; k < n; ++k) both[threadIdx.x + k + 1] = __ldg(both + threadIdx.x + k);
}
extern "C" __global__ void endless(volatile int* flag) {
  while (*flag == 0) {}
}
// Reads a box of three numbers, whose fourth nobody writes, as compilers like to: all at once. Not wrong.
struct alignas(16) Three {
  float x, y, z;
};
extern "C" __global__ void gap(const float* in, Three* boxes, float* out) {
  __shared__ Three shared[kBlock];
  shared[threadIdx.x] = {in[0], in[1], in[2]};
  __syncthreads();
  const Three b = shared[kBlock - 1 - threadIdx.x];
  out[threadIdx.x] = b.x + b.y + b.z;
}
