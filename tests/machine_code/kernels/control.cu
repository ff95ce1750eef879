// Where lanes go: branches, loops, switches, calls, stacks.
extern "C" __global__ void collatz(const int* in, int* out) {
  int x = in[threadIdx.x], steps = 0;
  while (x != 1) {
    x = x % 2 ? 3 * x + 1 : x / 2;
    ++steps;
  }
  out[threadIdx.x] = steps;
}

extern "C" __global__ void nested(const int* in, int* out, int n) {
  int sum = 0;
#pragma unroll 1
  for (int i = 0; i < n; ++i) {
    const int x = in[i] + static_cast<int>(threadIdx.x);
    if (x % 3 == 0) continue;
    if (x % 17 == 0) break;
    if (x % 2) sum += x;
    else if (x % 5 == 1) sum -= i;
    else
      for (int k = 0; k < x % 4; ++k) sum ^= k * x;
  }
  out[threadIdx.x] = sum;
}

// Dense enough for a table of branches.
extern "C" __global__ void table(const int* in, float* out, float a, float b) {
  float x = 0;
  switch (in[threadIdx.x]) {
    case 0: x = a + b; break;
    case 1: x = a - b; break;
    case 2: x = sqrtf(a); break;
    case 3: x = a / b; break;
    case 4: x = expf(b); break;
    case 5: x = fmaxf(a, b); [[fallthrough]];
    case 6: x += 100; break;
    case 7: x = sinf(a); break;
    case 8: x = logf(a * a); break;
    case 9: x = floorf(a) * b; break;
    default: x = -1;
  }
  out[threadIdx.x] = x;
}

extern "C" __global__ void early_exit(const int* in, int* out) {
  const int i = threadIdx.x;
  if (in[i] < 0) return;
  out[i] = in[i] * 2;
  if (in[i] > 10) return;
  out[i] += 1;
}

__noinline__ __device__ int sum_of(const int* p, int n) {
  int sum = 0;
#pragma unroll 1
  for (int i = 0; i < n; ++i) sum += p[i];
  return sum;
}

// A function that reads the stack, shared memory and global memory alike.
extern "C" __global__ void stacks(const int* in, int* out) {
  __shared__ int shared[32];
  int own[16];
  const int i = threadIdx.x;
  for (int k = 0; k < 16; ++k) own[k] = in[(i + k) % 32];
  shared[i] = in[i];
  __syncthreads();
  int sum = sum_of(own, i % 16) + own[in[i] & 15];
  if (i % 3 == 0) sum += 1000 * sum_of(shared, i % 5);
  out[i] = sum + 1000000 * sum_of(in, i % 7);
}

__noinline__ __device__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
extern "C" __global__ void recursion(const int* in, int* out) { out[threadIdx.x] = fibonacci(in[threadIdx.x]); }

__noinline__ __device__ float plus_one(float x) { return x + 1; }
__noinline__ __device__ float twice(float x) { return x * 2; }
extern "C" __global__ void pointers(const float* in, float* out) {
  float (*f)(float) = threadIdx.x % 2 ? plus_one : twice;
  out[threadIdx.x] = f(in[threadIdx.x]);
}

__constant__ float weights[4] = {1, 10, 100, 1000};
__device__ int calls;
__device__ int start = 40;
struct Parameters {
  float scale[3];
  unsigned char pick;
};
// Constants, variables, parameters whose place varies.
extern "C" __global__ void constants(const float* in, float* out, const __grid_constant__ Parameters p) {
  out[threadIdx.x] = in[threadIdx.x] * weights[threadIdx.x % 4] + p.scale[(threadIdx.x + p.pick) % 3];
  if (threadIdx.x == 0) calls += 1 + start;
}
