#!/usr/bin/env bash
# `make gpu`: builds with CUDA for the GPU at hand, runs the tests, benchmarks and compute-sanitizer on it.
# Uses the interpreter PYTHON and its torch as they are; installs nothing and needs no network.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
lib=$root/build/gpu/lib
log=$root/benchmarks/results/gpu_check.txt
cd "$root"
mkdir -p "$lib" benchmarks/results
say() { printf '\n== %s\n' "$*"; }
exec > >(tee "$log") 2>&1

say "device"
"$python" - <<'EOF'
import sys
import torch
if not torch.cuda.is_available():
    sys.exit("make gpu: this machine has no CUDA device")
print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}")
EOF
arch=$("$python" -c 'import torch; print("%d.%d" % torch.cuda.get_device_capability())')

say "build for sm_${arch/./}"
FASTIOU_CUDA=1 TORCH_CUDA_ARCH_LIST=${TORCH_CUDA_ARCH_LIST:-$arch} \
    "$python" setup.py -q build --build-temp build/gpu/temp --build-lib "$lib"

# From here on in a folder without sources: `import fastiou` is what was built.
export PYTHONPATH=$lib PYTHONUNBUFFERED=1
cd build/gpu
"$python" -m fastiou info
test "$("$python" -c 'import fastiou; print(fastiou.backend("cuda"))')" = native

say "tests"
"$python" -m pytest "$root/tests" --rootdir "$root" -c "$root/pyproject.toml" -q -p no:cacheprovider \
    -k "cuda and not sources_compile"

say "compute-sanitizer"
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | head -n 1 || true)
if [ -z "$sanitizer" ]; then
    echo "make gpu: compute-sanitizer is not installed (it comes with the CUDA toolkit)"
    exit 1
fi
for tool in memcheck racecheck synccheck initcheck; do
    only="--kernel-regex kns=fastiou"
    [ "$tool" != initcheck ] || only=""  # it has to see who wrote what our kernels read
    PYTORCH_NO_CUDA_MEMORY_CACHING=1 "$sanitizer" --tool "$tool" --error-exitcode 1 $only \
        "$python" "$root/benchmarks/sanitize.py"
done

say "benchmarks"
for suite in losses sets rotated pixels; do
    "$python" -m fastiou bench --suite $suite --device cuda --seconds-per-case 0.3 --out "$root/benchmarks/results/cuda.csv"
done
say "done"
