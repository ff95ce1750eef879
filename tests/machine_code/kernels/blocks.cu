// Threads of a block, and blocks of a grid.
#include <cuda/atomic>

constexpr int kBlock = 128;

// Shared memory of every width, a tile with a pad against conflicts.
extern "C" __global__ void transpose(const float* in, float* out, int n) {
  __shared__ float tile[16][17];
  const int x = threadIdx.x % 16, y = threadIdx.x / 16;
  const int column = blockIdx.x * 16 + x, row = blockIdx.y * 16 + y;
  if (column < n && row < n) tile[y][x] = in[row * n + column];
  __syncthreads();
  const int to_column = blockIdx.y * 16 + x, to_row = blockIdx.x * 16 + y;
  if (to_column < n && to_row < n) out[to_row * n + to_column] = tile[x][y];
}

extern "C" __global__ void widths(const unsigned char* bytes, const short* shorts, const int2* pairs,
                                  const float4* quads, float* out) {
  __shared__ unsigned char b[kBlock];
  __shared__ short s[kBlock];
  __shared__ int2 p[kBlock];
  __shared__ float4 q[kBlock];
  const int i = threadIdx.x, j = kBlock - 1 - i;
  b[i] = bytes[i], s[i] = shorts[i], p[i] = pairs[i], q[i] = quads[i];
  __syncthreads();
  out[i] = b[j] + s[j] + p[j].x * 2.0f + p[j].y + q[j].x + q[j].y * 3 + q[j].z + q[j].w;
}

extern "C" __global__ void agree(const int* in, int* out) {
  const int x = in[blockIdx.x * kBlock + threadIdx.x];
  int* const row = out + 3 * (blockIdx.x * kBlock + threadIdx.x);
  row[0] = __syncthreads_or(x > 90);
  row[1] = __syncthreads_and(x > 2);
  row[2] = __syncthreads_count(x > 50);
}

// Threads that have exited keep nobody waiting.
extern "C" __global__ void fewer(const int* in, int* out, int n) {
  extern __shared__ int dynamic[];
  const int i = threadIdx.x;
  if (i >= n) return;
  dynamic[i] = in[i];
  __syncthreads();
  out[i] = dynamic[n - 1 - i];
}

__device__ unsigned tickets[4];

__device__ double block_sum(double x) {
  __shared__ double sums[kBlock / 32];
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_down_sync(0xffffffffu, x, offset);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = x;
  __syncthreads();
  x = 0;
  for (double s : sums) x += s;
  __syncthreads();
  return x;
}

// The block that comes last adds what the others wrote. order: 0 fences and an atomic, 1 an atomic that is both, 2
// nothing but the atomic, which is a race.
template <int order> __device__ void sum_blocks(const double* in, double* partial, double* out, int n) {
  __shared__ bool last;
  double x = 0;
  for (int i = blockIdx.x * kBlock + threadIdx.x; i < n; i += gridDim.x * kBlock) x += in[i];
  x = block_sum(x);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = x;
    if constexpr (order == 0) __threadfence();
    unsigned ticket;
    if constexpr (order == 1) {
      cuda::atomic_ref<unsigned, cuda::thread_scope_device> all(tickets[order]);
      ticket = all.fetch_add(1, cuda::memory_order_acq_rel);
    } else {
      ticket = atomicAdd(&tickets[order], 1u);
    }
    last = ticket == gridDim.x - 1;
  }
  __syncthreads();
  if (!last) return;
  if constexpr (order == 0) __threadfence();
  x = 0;
  for (int i = threadIdx.x; i < gridDim.x; i += kBlock) x += partial[i];
  x = block_sum(x);
  if (threadIdx.x == 0) *out = x, tickets[order] = 0;
}
extern "C" __global__ void last_block_fences(const double* in, double* partial, double* out, int n) {
  sum_blocks<0>(in, partial, out, n);
}
extern "C" __global__ void last_block_atomic(const double* in, double* partial, double* out, int n) {
  sum_blocks<1>(in, partial, out, n);
}
extern "C" __global__ void last_block_race(const double* in, double* partial, double* out, int n) {
  sum_blocks<2>(in, partial, out, n);
}

using u64 = unsigned long long;
extern "C" __global__ void shared_atomics(const int* in, const u64* keys, u64* out) {
  __shared__ int sum, least, most, bits;
  __shared__ unsigned wrapped;
  __shared__ u64 best, total;
  __shared__ float weight;
  if (threadIdx.x == 0) sum = 0, least = 1 << 30, most = -1, bits = 0, wrapped = 0, best = 0, total = 0, weight = 0;
  __syncthreads();
  const int i = threadIdx.x, x = in[i];
  atomicAdd(&sum, x);
  atomicMin(&least, x);
  atomicMax(&most, x);
  atomicOr(&bits, 1 << x % 31);
  atomicInc(&wrapped, 9);
  atomicMax(&best, keys[i]);
  atomicAdd(&total, keys[i]);
  atomicAdd(&weight, 0.5f);
  __syncthreads();
  if (i > 0) return;
  const u64 all[] = {u64(sum), u64(least), u64(most), u64(unsigned(bits)), wrapped, best, total, u64(weight)};
  for (int k = 0; k < 8; ++k) out[k] = all[k];
}

extern "C" __global__ void global_atomics(const int* in, const u64* keys, int* ints, u64* longs, float* floats,
                                          double* doubles) {
  const int i = blockIdx.x * kBlock + threadIdx.x, x = in[i];
  atomicAdd(ints, x);
  atomicMin(ints + 1, x);
  atomicMax(ints + 2, x);
  atomicXor(ints + 3, x);
  atomicAdd(longs, keys[i]);
  atomicMax(longs + 1, keys[i]);
  atomicMin(longs + 2, keys[i]);
  atomicAdd(floats, 0.25f);
  atomicAdd(doubles, 0.125);
  int seen = 0, assumed;
  do {  // adds by hand
    assumed = seen;
    seen = atomicCAS(ints + 4, assumed, assumed + x);
  } while (seen != assumed);
  u64 expected = 0, now = atomicCAS(longs + 3, expected, keys[i]);
  while (now != expected && now < keys[i]) expected = now, now = atomicCAS(longs + 3, expected, keys[i]);
  if (atomicExch(ints + 5, x) < 0) atomicAdd(ints + 6, 1);
}

// A lock that lanes of a warp take in turns: they must not wait for each other.
__device__ int lock;
extern "C" __global__ void locked(volatile int* counter) {
  for (bool done = false; !done;) {
    if (atomicCAS(&lock, 0, 1) == 0) {
      __threadfence();
      *counter = *counter + 1;
      __threadfence();
      atomicExch(&lock, 0);
      done = true;
    }
  }
}
