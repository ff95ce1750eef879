// Tasks on torch's threads.
#pragma once
#include <torch/csrc/stable/ops.h>

#include <atomic>
#include <cstdint>

namespace fastiou {

// Calls task(i) for all i < count.
template <class Task> void for_tasks(int64_t count, const Task& task) {
  if (count == 1) return task(0);
  torch::stable::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) task(i);
  });
}

// The same where some tasks take far longer than others: a thread that is done takes the next one.
template <class Task> void for_uneven_tasks(int64_t count, const Task& task) {
  std::atomic<int64_t> next{0};
  torch::stable::parallel_for(0, count, 1, [&](int64_t, int64_t) {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) task(i);
  });
}

}  // namespace fastiou
