// Lanes that tell each other.
constexpr unsigned kAll = 0xffffffffu;

extern "C" __global__ void shuffles(const int* in, int* out) {
  const int x = in[threadIdx.x], lane = threadIdx.x % 32;
  int* const row = out + 8 * threadIdx.x;
  row[0] = __shfl_sync(kAll, x, (lane * 7 + 3) % 32);
  row[1] = __shfl_up_sync(kAll, x, 5);
  row[2] = __shfl_down_sync(kAll, x, 9);
  row[3] = __shfl_xor_sync(kAll, x, 13);
  row[4] = __shfl_sync(kAll, x, 2, 8);
  row[5] = __shfl_up_sync(kAll, x, 3, 16);
  row[6] = __shfl_down_sync(kAll, x, 3, 16);
  row[7] = static_cast<int>(__shfl_xor_sync(kAll, static_cast<double>(x), 1));
}

extern "C" __global__ void votes(const int* in, unsigned* out) {
  const int x = in[threadIdx.x];
  unsigned* const row = out + 8 * threadIdx.x;
  row[0] = __ballot_sync(kAll, x > 3);
  row[1] = __any_sync(kAll, x > 8);
  row[2] = __all_sync(kAll, x > 3);
  row[3] = __match_any_sync(kAll, x % 4);
  row[4] = __reduce_add_sync(kAll, static_cast<unsigned>(x));
  row[5] = __reduce_max_sync(kAll, x);
  row[6] = __reduce_xor_sync(kAll, static_cast<unsigned>(x));
  row[7] = __activemask();
}

// Some lanes, in branches of their own.
extern "C" __global__ void partial(const int* in, int* out) {
  const int x = in[threadIdx.x], lane = threadIdx.x % 32;
  int y = 0;
  if (lane < 8) y = __shfl_xor_sync(0xffu, x, 1) + static_cast<int>(__ballot_sync(0xffu, x % 2));
  else if (lane < 24) y = __shfl_down_sync(0xffff00u, x, 2, 8);
  __syncwarp();
  out[threadIdx.x] = y + __shfl_sync(kAll, x, 31);
}

// Sums by shuffles, a double as two words.
extern "C" __global__ void warp_sum(const double* in, double* out) {
  double x = in[threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_down_sync(kAll, x, offset);
  if (threadIdx.x % 32 == 0) out[threadIdx.x / 32] = x;
}

// Shared memory within a warp, ordered by __syncwarp: of all lanes, and of some.
extern "C" __global__ void warp_exchange(const int* in, int* out, int n) {
  __shared__ int s[64];
  const int i = threadIdx.x;
  s[i] = in[i];
  __syncwarp();
  int x = s[i ^ 1];
  __syncwarp();
  s[i] = x * 2;
#pragma unroll 1
  for (int k = 0; k < n; ++k) {
    __syncwarp();
    const int y = s[(i + 1) % 32 + i / 32 * 32];
    __syncwarp();
    s[i] += y;
  }
  __syncwarp();
  if (i % 32 < 4) {
    x += s[i];
    __syncwarp(0xf);
    s[i] = x;
    __syncwarp(0xf);
    x = s[i ^ 3];
  }
  out[i] = x;
}
