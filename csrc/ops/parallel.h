// Tasks on torch's threads.
#pragma once
#include <torch/csrc/stable/ops.h>

#include <cstdint>

namespace fastiou {

// Calls task(i) for all i < count.
template <class Task> void for_tasks(int64_t count, const Task& task) {
  torch::stable::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) task(i);
  });
}

}  // namespace fastiou
