#include "order.h"

#include <algorithm>

#include "random.h"

namespace machine {
namespace {

constexpr uint32_t kSet = 1u << 31;  // numbers of sets of readers, as opposed to segments
constexpr size_t kCache = 1 << 12;

bool is_set(uint32_t reader) { return (reader & kSet) != 0; }

}  // namespace

void learn(Knowledge& mine, const Knowledge& other) {
  for (const auto& [location, upto] : other) {
    const auto same = std::find_if(mine.begin(), mine.end(), [&](const auto& k) { return k.first == location; });
    if (same == mine.end()) mine.push_back({location, upto});
    else same->second = std::max(same->second, upto);
  }
}

Order::Order() : first_set_(kSet) { joined_.resize(kCache); }

void Order::start() {
  first_ += static_cast<uint32_t>(segments_.size());
  first_set_ += static_cast<uint32_t>(sets_.size());
  segments_.clear();
  sets_.clear();
  set_numbers_.clear();
  strong_.clear();
  locations_.clear();
  all_locations_.clear();
}

uint32_t Order::segment_of(WarpOrder& w) {
  if (w.segment == 0) {
    w.segment = first_ + static_cast<uint32_t>(segments_.size());
    segments_.push_back({w.block->index, w.block->epoch, w.tick, w.warp});
  }
  return w.segment;
}

// True if what a lane did in a segment comes before whatever lane `me` of a warp does now.
bool Order::before(uint32_t segment, unsigned lane, WarpOrder& w, unsigned me, bool strong) const {
  const Segment& s = this->segment(segment);
  const bool in_block = s.block == w.block->index;
  if (in_block && s.epoch < w.block->epoch) return true;
  if (in_block && s.warp == w.warp && (lane == me || s.tick <= w.floor || s.tick <= w.seen_by[me][lane])) return true;
  const auto in = [&](const Knowledge& k) { return !k.empty() && knows(k, s, lane, strong, in_block); };
  if (in(w.block->known) || (in_block && in(w.block->known_in_block))) return true;
  const auto mine = w.lanes.find(me);
  if (mine == w.lanes.end()) return false;
  const LaneOrder& o = mine->second;
  return in(o.known) || (in_block && in(o.known_in_block));
}

// True if a segment's accesses by a lane were released where it is known, by whoever knew of them.
bool Order::knows(const Knowledge& k, const Segment& s, unsigned lane, bool strong, bool in_block) const {
  Knowledge seen = k;  // grows
  for (size_t i = 0; i < seen.size(); ++i) {
    const auto [location, upto] = seen[i];
    if (const auto positions = location->of_block.find(s.block); positions != location->of_block.end())
      for (uint32_t p : positions->second) {
        if (p >= upto) break;
        const Release& r = location->log[p];
        if (r.fence.block_only && !in_block) continue;
        if (s.epoch < r.fence.epoch) return true;
        if (s.epoch == r.fence.epoch && s.warp == r.warp && s.tick <= r.fence.seen[lane]) return true;
        if (strong && s.warp == r.warp && lane == r.lane && s.tick <= r.strong_tick) return true;
      }
    for (uint32_t p : location->knowing)
      if (p < upto)
        for (const auto& more : location->log[p].fence.known) {
          const auto same =
              std::find_if(seen.begin(), seen.end(), [&](const auto& x) { return x.first == more.first; });
          if (same == seen.end() || same->second < more.second) seen.push_back(more);
        }
  }
  return false;
}

Race Order::check_writer(const Cell& c, WarpOrder& w, unsigned me, uint32_t older) const {
  const unsigned lane = c.writer_at >> 1 & 31;
  if (c.writer < older || (c.writer == w.segment && lane == me)) return {};
  if (before(c.writer, lane, w, me)) return {};
  return {c.writer, c.writer_at >> 6, lane, true, true};
}

// Calls f(segment, lanes) for the readers since the last write until it returns false; true if it never did.
template <class F> bool Order::all_readers(const Cell& c, uint32_t older, F f) const {
  if (!is_set(c.reader)) return c.reader < older || f(c.reader, c.reader_lanes);
  for (uint32_t set = c.reader; set >= first_set_;) {
    const Node& n = sets_[set - first_set_].last;
    if (n.segment >= older && !f(n.segment, n.lanes)) return false;
    set = n.rest;
  }
  return true;
}

Race Order::check_readers(const Cell& c, WarpOrder& w, unsigned me, uint32_t older) const {
  Race race;
  all_readers(c, older, [&](uint32_t segment, uint32_t lanes) {
    each_lane(lanes, [&](unsigned lane) {
      if (!race.found && !before(segment, lane, w, me)) race = {segment, c.reader_at, lane, false, true};
    });
    return !race.found;
  });
  return race;
}

Race Order::check_strong(const void* address, WarpOrder& w, unsigned me, uint32_t older, bool only_writes) const {
  const auto found = strong_.find(address);
  if (found == strong_.end()) return {};
  for (const Record& r : found->second)
    if (r.segment >= older && (r.writes || !only_writes) && !before(r.segment, r.lane, w, me, true))
      return {r.segment, r.instruction, r.lane, r.writes, true};
  return {};
}

Race Order::read(Cell& c, const void* address, Who who, uint32_t lanes, uint32_t older, bool shared) {
  WarpOrder& w = *who.warp;
  segment_of(w);
  Race race;
  const bool written_now = c.writer >= older, strong = (c.writer_at & kHasStrong) != 0 && !shared;
  if (written_now || strong)
    each_lane(lanes, [&](unsigned me) {
      if (!race.found && written_now) race = check_writer(c, w, me, older);
      if (!race.found && strong) race = check_strong(address, w, me, older, true);
    });
  if (race.found) return race;
  add_reader(c, w, lanes, older);
  c.reader_at = who.instruction;
  return race;
}

Race Order::write(Cell& c, const void* address, Who who, unsigned lane, uint32_t older) {
  WarpOrder& w = *who.warp;
  segment_of(w);
  Race race = check_writer(c, w, lane, older);
  if (!race.found && c.reader != 0) race = check_readers(c, w, lane, older);
  if ((c.writer_at & kHasStrong) != 0) {
    if (!race.found) race = check_strong(address, w, lane, older, false);
    strong_.erase(address);
  }
  if (!race.found) c = {w.segment, pack_place(who.instruction, lane), 0, 0, 0};
  return race;
}

Race Order::strong(Cell& c, const void* address, Who who, unsigned lane, uint32_t older, bool writes, bool shared) {
  WarpOrder& w = *who.warp;
  segment_of(w);
  Race race = check_writer(c, w, lane, older);
  if (!race.found && writes && !shared) race = check_readers(c, w, lane, older);
  if (race.found) return race;
  if (c.writer == 0 && writes) c.writer = kWritten;
  c.writer_at |= kHasStrong;
  auto& records = strong_[address];
  const Record mine{w.segment, who.instruction, lane, writes};
  if (records.empty() || records.back().segment != mine.segment || records.back().lane != lane || writes)
    records.push_back(mine);
  return race;
}

void Order::add_reader(Cell& c, WarpOrder& w, uint32_t lanes, uint32_t older) {
  if (c.reader == w.segment) {
    c.reader_lanes |= lanes;
    return;
  }
  const bool none = is_set(c.reader) ? c.reader < first_set_ : c.reader < older;
  const uint32_t reader = none ? w.segment : joined(c, w, lanes, older);
  c.reader = reader;
  c.reader_lanes = is_set(reader) ? 0 : lanes;
}

// The readers of a byte with some more. Those that come before the new ones may be left out: whatever comes after the
// new ones comes after them. Large sets are only looked through for such each time that they have doubled.
uint32_t Order::joined(const Cell& c, WarpOrder& w, uint32_t lanes, uint32_t older) {
  constexpr uint32_t kFew = 8;
  if (is_set(c.reader)) {
    const Set s = sets_[c.reader - first_set_];
    const bool again = s.last.segment == w.segment;
    if (again && (lanes & ~s.last.lanes) == 0) return c.reader;
    if (s.readers >= kFew && s.readers < s.most)
      return again ? set_of(s.last.rest, w.segment, s.last.lanes | lanes) : set_of(c.reader, w.segment, lanes);
  }
  const Node key{is_set(c.reader) ? c.reader : set_of(0, c.reader, c.reader_lanes), w.segment, lanes};
  Joined& cached = joined_[HashNode()(key) % kCache];
  if (cached.key == key) return cached.result;
  const unsigned me = std::countr_zero(lanes);
  std::vector<Node> stay;
  uint32_t mine = lanes;
  all_readers(c, older, [&](uint32_t segment, uint32_t old_lanes) {
    if (segment == w.segment) {
      mine |= old_lanes;
      return true;
    }
    uint32_t unordered = 0;
    each_lane(old_lanes, [&](unsigned l) { unordered |= (before(segment, l, w, me) ? 0u : 1u) << l; });
    if (unordered != 0) stay.push_back({0, segment, unordered});
    return true;
  });
  uint32_t set = 0;
  std::sort(stay.begin(), stay.end(), [](const Node& a, const Node& b) { return a.segment < b.segment; });
  for (const Node& n : stay) set = set_of(set, n.segment, n.lanes);
  // a reader alone is kept in the byte itself, with the lanes that are told; more lanes of it need a set
  const bool alone = set == 0 && mine == lanes;
  const uint32_t result = alone ? w.segment : set_of(set, w.segment, mine);
  if (!alone) {
    Set& s = sets_[result - first_set_];
    s.most = std::max(s.most, 2 * s.readers);
  }
  cached = {key, result};
  return result;
}

uint32_t Order::set_of(uint32_t rest, uint32_t segment, uint32_t lanes) {
  const Node n{rest, segment, lanes};
  const auto [found, added] = set_numbers_.emplace(n, 0);
  if (added) {
    const Set of_rest = rest == 0 ? Set{} : sets_[rest - first_set_];
    found->second = first_set_ + static_cast<uint32_t>(sets_.size());
    sets_.push_back({n, of_rest.readers + 1, of_rest.most});
  }
  return found->second;
}

size_t Order::HashNode::operator()(const Node& n) const {
  return mix(mix(uint64_t(n.rest) << 32 | n.segment) ^ n.lanes);
}

void Order::warp_barrier(WarpOrder& w, uint32_t lanes, uint32_t live) {
  if ((live & ~lanes) == 0) {
    w.floor = w.tick;
  } else {
    Words all = {};
    each_lane(lanes, [&](unsigned l) {
      for (unsigned other = 0; other < kLanes; ++other) all[other] = std::max(all[other], w.seen_by[l][other]);
    });
    each_lane(lanes, [&](unsigned l) { all[l] = w.tick; });
    each_lane(lanes, [&](unsigned l) { w.seen_by[l] = all; });
  }
  ++w.tick;
  w.segment = 0;
}

void Order::block_barrier(BlockOrder& b, const std::vector<WarpOrder*>& warps) {
  ++b.epoch;
  for (WarpOrder* w : warps) {
    w->segment = 0;
    for (auto& [lane, o] : w->lanes) {
      learn(b.known, o.known);
      learn(b.known_in_block, o.known_in_block);
      learn(b.pending, o.pending);
    }
  }
}

void Order::fence(WarpOrder& w, uint32_t lanes, bool block_only) {
  each_lane(lanes, [&](unsigned l) {
    LaneOrder& o = w.lanes[l];
    learn(o.known_in_block, o.pending);
    learn(o.known_in_block, w.block->pending);
    if (block_only && o.fenced && !o.fence.block_only) return;
    o.fenced = true;
    o.fence.epoch = w.block->epoch;
    o.fence.block_only = block_only;
    for (unsigned other = 0; other < kLanes; ++other) o.fence.seen[other] = std::max(w.floor, w.seen_by[l][other]);
    o.fence.seen[l] = w.tick;
    o.fence.known = w.block->known;
    learn(o.fence.known, w.block->pending);
    learn(o.fence.known, o.known);
    learn(o.fence.known, o.pending);
  });
  ++w.tick;
  w.segment = 0;
}

void Order::acquire(WarpOrder& w, uint32_t lanes, bool block_only) {
  const Knowledge& of_block = w.block->pending;
  bool learnt = false;
  each_lane(lanes, [&](unsigned l) {
    if (of_block.empty() && !w.lanes.count(l)) return;
    LaneOrder& o = w.lanes[l];
    learnt |= !of_block.empty() || !o.pending.empty();
    for (Knowledge* known : {&o.known_in_block, &o.known}) {
      if (known == &o.known && block_only) continue;
      learn(*known, o.pending);
      learn(*known, of_block);
    }
  });
  if (!learnt) return;
  ++w.tick;
  w.segment = 0;
}

void Order::meet(WarpOrder& w, unsigned lane, const void* address, bool reads, bool writes) {
  const auto found = locations_.find(address);
  Location* location = found == locations_.end() ? nullptr : found->second;
  if (reads && location) learn(w.lanes[lane].pending, {{location, static_cast<uint32_t>(location->log.size())}});
  if (!writes) return;
  const auto mine = w.lanes.find(lane);
  const bool releases = mine != w.lanes.end() && mine->second.fenced;
  if (location && !reads) locations_.erase(address), location = nullptr;  // what others released is overwritten
  if (!releases) return;
  if (!location) {
    all_locations_.push_back(std::make_unique<Location>());
    location = locations_[address] = all_locations_.back().get();
  }
  const auto position = static_cast<uint32_t>(location->log.size());
  location->log.push_back({w.block->index, w.warp, lane, w.tick, mine->second.fence});
  location->of_block[w.block->index].push_back(position);
  if (!mine->second.fence.known.empty()) location->knowing.push_back(position);
}

}  // namespace machine
