#include "block.h"

namespace machine {

Block::Block(Launch& launch, unsigned index, std::shared_ptr<SharedMemory> shared)
    : launch(launch), x(index % launch.grid.x), y(index / launch.grid.x), shared(std::move(shared)) {
  order.index = index;
  order.first = launch.order.next();
  for (unsigned w = 0; w * kLanes < launch.grid.threads; ++w) warps_.push_back(std::make_unique<Warp>(*this, w));
}

bool Block::step(Random* random) {
  constexpr unsigned kTurn = 1 << 14, kRandomTurn = 200;
  const size_t n = warps_.size();
  if (random) next_ = random->below(static_cast<unsigned>(n));
  for (size_t i = 0; i < n; ++i) {
    Warp& w = *warps_[(next_ + i) % n];
    if (w.state != Warp::State::ready) continue;
    next_ = (next_ + i) % n;
    const unsigned turn = random ? 1 + random->below(kRandomTurn) : kTurn;
    if (w.run(turn) == Warp::State::ready) next_ = random ? next_ : (next_ + 1) % n;
    release_barrier();
    return true;
  }
  return false;
}

// Lets the warps go on if all that are left wait. Warps whose lanes have ended count as there.
void Block::release_barrier() {
  std::vector<WarpOrder*> orders;
  const Warp* first = nullptr;
  for (const auto& w : warps_) {
    if (w->state == Warp::State::ready) return;
    if (w->state != Warp::State::waits) continue;
    if (!first) first = w.get();
    if (w->barrier.instruction != first->barrier.instruction)
      w->fault("barrier", w->first_lane(), "waits at another barrier than " + first->place() + ", which waits at " +
                                               launch.program.code[first->barrier.instruction].text);
    orders.push_back(&w->order);
  }
  if (!first) return;
  result = {};
  for (const auto& w : warps_) {
    if (w->state != Warp::State::waits) continue;
    const uint32_t votes = w->barrier.votes & w->lanes.live();
    result.any |= votes != 0;
    result.all &= votes == w->lanes.live();
    result.count += static_cast<uint32_t>(std::popcount(votes));
    w->lanes.resume_from_block();
    w->state = Warp::State::ready;
    ++launch.counts.barriers;
  }
  launch.order.block_barrier(order, orders);
  next_ = 0;
}

}  // namespace machine
