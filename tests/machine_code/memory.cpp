#include "memory.h"

#include <new>
#include <stdexcept>

namespace machine {

Cells make_cells(size_t count) {
  void* p = std::calloc(count + 1, sizeof(Cell));
  if (!p) throw std::bad_alloc();
  return Cells(static_cast<Cell*>(p));
}

void Memory::allow(const void* p, size_t bytes, bool written) {
  if (bytes == 0) return;
  const auto begin = reinterpret_cast<uintptr_t>(p), end = begin + bytes;
  const auto next = ranges_.upper_bound(begin);
  const bool overlaps = (next != ranges_.end() && next->first < end) ||
                        (next != ranges_.begin() && std::prev(next)->second.end > begin) || ranges_.count(begin);
  if (overlaps) throw std::invalid_argument("machine: memory is allowed already");
  ranges_.emplace(begin, Range{begin, end, written, make_cells(bytes)});
  last_ = nullptr;
}

void Memory::forget(const void* p) {
  ranges_.erase(reinterpret_cast<uintptr_t>(p));
  last_ = nullptr;
}

Memory::Range* Memory::find(uintptr_t address) {
  if (last_ && address >= last_->begin && address < last_->end) return last_;
  const auto next = ranges_.upper_bound(address);
  if (next == ranges_.begin()) return nullptr;
  Range& r = std::prev(next)->second;
  return address <= r.end ? last_ = &r : nullptr;
}

void Memory::note_written(const void* p, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(p);
  Range* r = bytes > 0 ? find(begin) : nullptr;
  if (bytes > 0 && (!r || begin + bytes > r->end)) throw std::invalid_argument("machine: no such memory");
  for (size_t i = 0; i < bytes; ++i) r->cells[begin - r->begin + i] = {.writer = kWritten};
}

bool Memory::written(const void* p, size_t bytes) const {
  const auto begin = reinterpret_cast<uintptr_t>(p);
  const auto next = ranges_.upper_bound(begin);
  if (next == ranges_.begin()) return false;
  const Range& r = std::prev(next)->second;
  if (begin + bytes > r.end) return false;
  for (size_t i = 0; i < bytes; ++i)
    if (!r.is_written(begin + i)) return false;
  return true;
}

}  // namespace machine
