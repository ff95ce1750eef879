// Which accesses to memory are ordered, and so which ones race. Every byte remembers who touched it last; two accesses
// of which one writes must be ordered by something that the machine promises:
//
//   lanes of a warp      by a barrier of the warp (WARPSYNC; the NOP that stands for one where the compiler knows that
//   all
//                        lanes are there). Going on together is no promise, and neither are shuffles and votes.
//   threads of a block   by a barrier of the block.
//   any threads          by an atomic (or a strong store and load) of one address after a fence on the one side
//   (MEMBAR)
//                        and before one on the other (CCTL.IVALL; MEMBAR within a block).
//
// Accesses that are both strong (atomic, volatile) may meet unordered.
#pragma once
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "lanes.h"

namespace machine {

// A stretch of a warp's run in which nothing orders its lanes. Numbers grow over all runs: those of earlier runs are
// small.
struct Segment {
  uint32_t block, epoch, tick;  // epoch: barriers of the block so far; tick: of the warp, fences too
  uint32_t warp;
};

// What a byte remembers. `writer`: 0, or the segment that wrote it. `reader`: a segment, or a set of them.
struct Cell {
  uint32_t writer = 0, writer_at = 0;
  uint32_t reader = 0, reader_lanes = 0, reader_at = 0;
};
// Where a plain write was done: instruction, lane; and whether strong accesses came after it.
inline uint32_t pack_place(uint32_t instruction, unsigned lane) { return instruction << 6 | lane << 1; }
constexpr uint32_t kHasStrong = 1;
constexpr uint32_t kWritten = 1;  // the segment of what was written before any run

struct Location;
// How far the releases at each location are known.
using Knowledge = std::vector<std::pair<const Location*, uint32_t>>;
void learn(Knowledge& mine, const Knowledge& other);

// What a lane offers to whoever sees its next strong write.
struct Fence {
  uint32_t epoch = 0;
  Words seen;       // ticks of the warp's lanes
  bool block_only = false;
  Knowledge known;
};

// One strong write that releases.
struct Release {
  uint32_t block, warp, lane, strong_tick;
  Fence fence;
};
struct Location {
  std::vector<Release> log;
  std::unordered_map<uint32_t, std::vector<uint32_t>> of_block;  // positions in log
  std::vector<uint32_t> knowing;                                  // positions of those that knew of others
};

// How a warp stands to others. Lanes that do no fences have no LaneOrder.
struct LaneOrder {
  Knowledge pending, known, known_in_block;
  Fence fence;
  bool fenced = false;
};
struct BlockOrder {
  uint32_t index = 0, epoch = 0;
  uint32_t first = 0;  // segments below it are older than the block's shared memory
  Knowledge pending, known, known_in_block;
};
struct WarpOrder {
  BlockOrder* block = nullptr;
  uint32_t warp = 0;
  uint32_t tick = 1;
  uint32_t floor = 0;         // all lanes have seen each other up to this tick
  Words seen_by[kLanes] = {};  // [lane][other]: up to which tick
  std::map<unsigned, LaneOrder> lanes;
  uint32_t segment = 0;       // of now; 0: not yet numbered
};

// Who accesses what, and where in the code.
struct Who {
  WarpOrder* warp;
  uint32_t instruction;
};

// An access that is not ordered with an earlier one.
struct Race {
  uint32_t segment = 0, instruction = 0;  // of the earlier one
  unsigned lane = 0;
  bool earlier_writes = false, found = false;
};

class Order {
 public:
  Order();
  // Forgets everything but the numbers of segments: whatever was accessed is now ordered.
  void start();
  uint32_t first() const { return first_; }
  uint32_t next() const { return first_ + static_cast<uint32_t>(segments_.size()); }
  uint32_t segment_of(WarpOrder& w);
  const Segment& segment(uint32_t number) const { return segments_[number - first_]; }

  // Accesses of a byte by lanes, of which the first race is told. `older`: segments below it need no order.
  Race read(Cell& c, const void* address, Who who, uint32_t lanes, uint32_t older, bool shared);
  Race write(Cell& c, const void* address, Who who, unsigned lane, uint32_t older);
  Race strong(Cell& c, const void* address, Who who, unsigned lane, uint32_t older, bool writes, bool shared);

  // What orders.
  void warp_barrier(WarpOrder& w, uint32_t lanes, uint32_t live);
  void block_barrier(BlockOrder& b, const std::vector<WarpOrder*>& warps);
  void fence(WarpOrder& w, uint32_t lanes, bool block_only);  // MEMBAR
  void acquire(WarpOrder& w, uint32_t lanes, bool block_only);  // CCTL.IVALL
  // A strong access of a location: sees what was released there, releases what the lane has fenced.
  void meet(WarpOrder& w, unsigned lane, const void* address, bool reads, bool writes);

 private:
  struct Record {
    uint32_t segment, instruction;
    unsigned lane;
    bool writes;
  };
  // strong: whether the earlier access is, which then may itself be a release, and part of what it releases.
  bool before(uint32_t segment, unsigned lane, WarpOrder& w, unsigned me, bool strong = false) const;
  bool knows(const Knowledge& k, const Segment& s, unsigned lane, bool strong, bool in_block) const;
  Race check_writer(const Cell& c, WarpOrder& w, unsigned me, uint32_t older) const;
  Race check_readers(const Cell& c, WarpOrder& w, unsigned me, uint32_t older) const;
  Race check_strong(const void* address, WarpOrder& w, unsigned me, uint32_t older, bool only_writes) const;
  template <class F> bool all_readers(const Cell& c, uint32_t older, F f) const;
  void add_reader(Cell& c, WarpOrder& w, uint32_t lanes, uint32_t older);
  uint32_t joined(const Cell& c, WarpOrder& w, uint32_t lanes, uint32_t older);
  uint32_t set_of(uint32_t rest, uint32_t segment, uint32_t lanes);

  // Sets of readers are kept once: a set is another set and one more reader.
  struct Node {
    uint32_t rest, segment, lanes;
    bool operator==(const Node&) const = default;
  };
  struct Set {
    Node last{};
    uint32_t readers = 0,
             most = 0;  // how many there are, some twice, and how many there may be until all are looked at
  };
  struct HashNode {
    size_t operator()(const Node& n) const;
  };
  uint32_t first_ = kWritten + 1;
  std::vector<Segment> segments_;
  std::vector<Set> sets_;
  uint32_t first_set_;
  std::unordered_map<Node, uint32_t, HashNode> set_numbers_;
  struct Joined {
    Node key{};
    uint32_t result = 0;
  };
  std::vector<Joined> joined_;  // a cache
  std::unordered_map<const void*, std::vector<Record>> strong_;
  std::unordered_map<const void*, Location*> locations_;
  std::vector<std::unique_ptr<Location>> all_locations_;
};

}  // namespace machine
