#include "launch.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "block.h"

namespace machine {
namespace {

constexpr size_t kParameters = 0x210;
constexpr size_t kLeastStack = 1024;  // what a GPU gives every thread
constexpr unsigned kRegisterFile = 65536;

}  // namespace

Bank0::Bank0(const KernelNeeds& needs, Grid grid, const Bytes& parameters)
    : bytes_(kParameters + needs.parameters), known_(bytes_.size()) {
  for (size_t i = 0; i < 3; ++i) set(4 * i, i == 0 ? grid.threads : 1u);
  for (size_t i = 0; i < 3; ++i) set(12 + 4 * i, i == 0 ? grid.x : i == 1 ? grid.y : 1u);
  set(0x20, kLocalWindow);
  set(0x28, kStackTop);
  set(0x198, reinterpret_cast<uint64_t>(bytes_.data() + kParameters));  // where generic loads find the parameters
  set(0x208, uint64_t(0));  // a descriptor, of which addresses make no use here
  std::copy_n(parameters.begin(), needs.parameters, bytes_.begin() + kParameters);
  std::fill(known_.begin() + kParameters, known_.end(), true);
}

template <class T> void Bank0::set(size_t offset, T value) {
  std::memcpy(bytes_.data() + offset, &value, sizeof(T));
  std::fill_n(known_.begin() + static_cast<std::ptrdiff_t>(offset), sizeof(T), true);
}

bool Bank0::is_known(size_t offset, size_t bytes) const {
  return std::all_of(known_.begin() + static_cast<std::ptrdiff_t>(offset),
                     known_.begin() + static_cast<std::ptrdiff_t>(offset + bytes), [](bool k) { return k; });
}

Launch::Launch(const Program& program, Memory& memory, Order& order, const Options& options, Grid grid,
               const Bytes& parameters)
    : program(program),
      memory(memory),
      order(order),
      options(options),
      grid(grid),
      bank0(program.needs, grid, parameters),
      random(mix(options.seed)),
      tally(program.code.size()),
      shared_bytes(std::max<size_t>(program.needs.shared, kSharedBegin) + grid.dynamic_shared),
      stack_bytes((std::max(program.needs.stack, kLeastStack) + 15) / 16 * 16) {
  const unsigned threads = (grid.threads + kLanes - 1) / kLanes * kLanes;
  const bool fits = grid.x > 0 && grid.y > 0 && grid.threads > 0 && grid.threads <= program.needs.most_threads &&
                    grid.y <= 65535 && grid.x <= 0x7fffffffu && threads * program.needs.registers <= kRegisterFile;
  if (!fits)
    throw Fault("launch", "launch: a grid of " + std::to_string(grid.x) + " x " + std::to_string(grid.y) +
                              " blocks of " + std::to_string(grid.threads) + " threads (at most " +
                              std::to_string(program.needs.most_threads) + ", " +
                              std::to_string(program.needs.registers) + " registers each)\n  of " + program.name);
}

const Bytes* Launch::bank(unsigned number) const {
  if (number == 0) return &bank0.bytes();
  if (number == 2) return &program.needs.literals;
  return number == 3 || number == 4 ? &program.cubin->constants(number) : nullptr;
}

// Without a seed, one block after the other. With one, blocks start in random order, and some of them take turns.
Counts Launch::run() {
  order.start();
  const bool ordered = options.seed == 0;
  std::vector<unsigned> waiting(size_t(grid.x) * grid.y);
  std::iota(waiting.rbegin(), waiting.rend(), 0u);  // the last one starts first
  if (!ordered)
    for (size_t i = waiting.size(); i > 1; --i)
      std::swap(waiting[i - 1], waiting[random.below(static_cast<unsigned>(i))]);
  std::vector<std::shared_ptr<SharedMemory>> free;
  std::vector<std::unique_ptr<Block>> running;
  const size_t resident = ordered ? 1 : std::max(options.resident, 1u);
  for (size_t i = 0; i < std::min(resident, waiting.size()); ++i)
    free.push_back(std::make_shared<SharedMemory>(shared_bytes));
  while (!waiting.empty() || !running.empty()) {
    for (; !waiting.empty() && !free.empty(); waiting.pop_back()) {
      running.push_back(std::make_unique<Block>(*this, waiting.back(), free.back()));
      free.pop_back();
    }
    const size_t which = ordered ? 0 : random.below(static_cast<unsigned>(running.size()));
    Block& block = *running[which];
    if (block.step(ordered ? nullptr : &random)) continue;
    free.push_back(block.shared);
    running.erase(running.begin() + static_cast<std::ptrdiff_t>(which));
  }
  sum_up();
  return counts;
}

void Launch::sum_up() {
  for (size_t k = 0; k < tally.size(); ++k) {
    const Instruction& i = program.code[k];
    if (tally[k].issued == 0) continue;
    counts.instructions += tally[k].issued;
    counts.lanes += tally[k].lanes;
    counts.by_pipe[name_of(i.pipe)] += tally[k].issued;
    counts.by_opcode[i.opcode] += tally[k].issued;
  }
}

}  // namespace machine
