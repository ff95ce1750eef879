// Control: branches, calls, convergence barriers, barriers of warps and blocks, fences.
#include "block.h"
#include "compute.h"

namespace machine {
namespace {

bool is_target(const Operand& o) { return o.is(Kind::immediate); }
uint32_t index_of(int64_t address) { return static_cast<uint32_t>(address / 16); }

// All lanes that are together must do it: the machine knows no GPU that would do it for some.
void need_all(Warp& w) {
  if (w.active() != w.group().lanes)
    w.fault("control", w.first_lane(), "is done by some of the lanes that are together");
}

void jump(Warp& w, uint32_t lanes, uint32_t target) {
  if (w.lanes.branch(lanes, target)) ++w.launch.counts.divergent_branches;
}

uint32_t taking(Warp& w, const Instruction& i) {
  uint32_t taken = w.active();
  for (unsigned k = 0; k + 1 < i.count; ++k) taken &= w.predicate(i.operand[k]);
  return taken;
}
void run_branch(Warp& w, const Instruction& i) { jump(w, taking(w, i), index_of(i.operand[i.count - 1].value)); }
// BRA.U: taken if all lanes that are together take it, else by none. The code after it asks each lane again.
void run_unanimous_branch(Warp& w, const Instruction& i) {
  const uint32_t taken = taking(w, i);
  if (taken == w.group().lanes) jump(w, taken, index_of(i.operand[i.count - 1].value));
}
// BRA.DIV: taken unless the lanes of the mask are together; then they meet elsewhere.
void run_branch_if_diverged(Warp& w, const Instruction& i) {
  Words room;
  const uint32_t mask = w.ints(i.operand[0], room)[w.first_lane()] & w.lanes.live();
  if ((mask & ~w.group().lanes) != 0) jump(w, w.active(), index_of(i.operand[1].value));
}

Execute build_branch(Instruction& i, Modifiers& m) {
  if (i.count == 0 || !is_target(i.operand[i.count - 1])) return nullptr;
  if (m.take("DIV")) return i.count == 2 && are_numbers(i, 0, 1) ? run_branch_if_diverged : nullptr;
  const bool unanimous = m.take("U");
  return !are_predicates(i, 0, i.count - 1) ? nullptr : (unanimous ? run_unanimous_branch : run_branch);
}

void run_call(Warp& w, const Instruction& i) { jump(w, w.active(), index_of(i.operand[0].value)); }

// A register holds where to go, to which an offset is added; BRX and BRXU add the place after the instruction too.
template <bool relative> void run_indirect(Warp& w, const Instruction& i) {
  Words room, targets;
  const Words& base = w.ints(i.operand[0], room);
  const auto from = static_cast<uint32_t>(i.operand[1].value) + (relative ? i.address + 16 : 0);
  each_lane(w.active(), [&](unsigned l) {
    const uint32_t target = base[l] + from;
    if (target % 16 != 0 || target / 16 >= w.launch.program.code.size())
      w.fault("control", l, "goes to " + std::to_string(target) + ", where there is no instruction");
    targets[l] = index_of(target);
  });
  if (w.lanes.scatter(w.active(), targets)) ++w.launch.counts.divergent_branches;
}

template <Kind kind> Execute build_indirect_branch(Instruction& i, Modifiers&) {
  return i.count == 2 && i.operand[0].is(kind) && is_target(i.operand[1]) ? run_indirect<true> : nullptr;
}
Execute build_call(Instruction& i, Modifiers& m) {
  const bool fits = m.take("REL") && m.take("NOINC");
  if (fits && i.count == 1 && is_target(i.operand[0])) return run_call;
  return fits && i.count == 2 && i.operand[0].is(Kind::reg) && is_target(i.operand[1]) ? run_indirect<false> : nullptr;
}
Execute build_return(Instruction& i, Modifiers& m) {
  const bool fits =
      m.take("REL") && m.take("NODEC") && i.count == 2 && i.operand[0].is(Kind::reg) && is_target(i.operand[1]);
  return fits ? run_indirect<false> : nullptr;
}

void run_exit(Warp& w, const Instruction&) { w.lanes.exit(w.active()); }

void run_open(Warp& w, const Instruction& i) {
  need_all(w);
  w.lanes.open(i.operand[0].reg);
}
void run_reconverge(Warp& w, const Instruction& i) {
  need_all(w);
  w.lanes.reconverge(i.operand[0].reg);
}
void run_leave(Warp& w, const Instruction& i) { w.lanes.leave(i.operand[i.count - 1].reg, w.active()); }

Execute build_open(Instruction& i, Modifiers&) {
  return i.count == 2 && i.operand[0].is(Kind::barrier) && is_target(i.operand[1]) ? run_open : nullptr;
}
Execute build_reconverge(Instruction& i, Modifiers&) {
  return i.count == 1 && i.operand[0].is(Kind::barrier) ? run_reconverge : nullptr;
}
Execute build_leave(Instruction& i, Modifiers&) {
  return i.count == 1 && i.operand[0].is(Kind::barrier) ? run_leave : nullptr;
}

// BMOV saves a convergence barrier in a register, or takes it back.
void run_save_barrier(Warp& w, const Instruction& i) {
  const Words& meeting = w.lanes.meeting(i.operand[1].reg);
  w.put(i.operand[0], meeting);
  if (i.detail) each_lane(w.active(), [&](unsigned l) { w.lanes.meeting(i.operand[1].reg)[l] = 0; });
}
void run_restore_barrier(Warp& w, const Instruction& i) {
  Words room;
  const Words& saved = w.ints(i.operand[1], room);
  each_lane(w.active(), [&](unsigned l) { w.lanes.meeting(i.operand[0].reg)[l] = saved[l]; });
}
Execute build_move_barrier(Instruction& i, Modifiers& m) {
  if (!m.take("32") || i.count != 2) return nullptr;
  i.detail = m.take("CLEAR");
  if (i.operand[1].is(Kind::barrier) && are_numbers(i, 0, 1)) return run_save_barrier;
  return i.operand[0].is(Kind::barrier) && are_numbers(i, 1, 2) && !i.detail ? run_restore_barrier : nullptr;
}

// True if the lanes that a WARPSYNC brings together then tell each other something.
bool is_exchange_ahead(const Warp& w) {
  const auto& code = w.launch.program.code;
  for (size_t k = w.instruction() + 1; k < code.size() && code[k].pipe != Pipe::control; ++k)
    for (const char* name : {"SHFL", "VOTE", "MATCH", "REDUX"})
      if (code[k].opcode.rfind(name, 0) == 0) return true;
  return false;
}

// WARPSYNC waits for the live lanes of a mask, its own among them. Lanes may do so at different places in the code, but
// not if they then exchange something: that must be one and the same instruction.
void wait_for(Warp& w, uint32_t mask) {
  need_all(w);
  if (const uint32_t strangers = w.active() & ~mask)
    w.fault("mask", static_cast<unsigned>(std::countr_zero(strangers)), "the mask does not name the lane itself");
  w.lanes.wait_for_warp(mask, is_exchange_ahead(w));
}
void run_wait_for_all(Warp& w, const Instruction&) { wait_for(w, kAll); }
void run_wait_for_mask(Warp& w, const Instruction& i) {
  Words room;
  const Words& masks = w.ints(i.operand[0], room);
  const uint32_t mask = masks[w.first_lane()];
  each_lane(w.active(), [&](unsigned l) {
    if (masks[l] != mask) w.fault("mask", l, "lanes that are together name different masks");
  });
  wait_for(w, mask);
}
Execute build_wait_for_warp(Instruction& i, Modifiers& m) {
  if (m.take("ALL")) return i.count == 0 ? run_wait_for_all : nullptr;
  m.take("COLLECTIVE");  // lanes wait to do together what follows; the target is behind it
  return i.count >= 1 && i.count <= 2 && are_numbers(i, 0, 1) ? run_wait_for_mask : nullptr;
}

// BAR: the threads of a block, of which a warp's must come together.
void run_wait_for_block(Warp& w, const Instruction& i) {
  if (w.active() != w.lanes.live()) w.fault("barrier", w.first_lane(), "is reached by a part of the warp's threads");
  w.barrier.instruction = w.instruction();
  w.barrier.reduce = static_cast<AtBarrier::Reduce>(i.detail);
  w.barrier.votes = i.detail ? w.predicate(i.operand[1]) : 0;
  w.lanes.wait_for_block();
}

Execute build_wait_for_block(Instruction& i, Modifiers& m) {
  const bool reduces = m.take("RED");
  m.take("DEFER_BLOCKING");
  if (i.count == 0 || !i.operand[0].is(Kind::immediate) || i.operand[0].value != 0)
    return nullptr;  // barrier 0, all threads
  if (!reduces) return m.take("SYNC") && i.count == 1 ? run_wait_for_block : nullptr;
  const int which = m.take_one({"OR", "AND", "POPC"});
  i.detail = static_cast<uint8_t>(1 + which);
  return which >= 0 && i.count == 2 && is_predicate(i.operand[1]) ? run_wait_for_block : nullptr;
}

// B2R.RESULT: what the block's last barrier found, in a predicate or as a count.
void run_barrier_result(Warp& w, const Instruction& i) {
  const Block::Reduction& r = w.block.result;
  Words count;
  fill(count, r.count);
  w.put(i.operand[0], count);
  if (i.count == 2)
    w.put_predicate(i.operand[1], (w.barrier.reduce == AtBarrier::Reduce::any ? r.any : r.all) ? kAll : 0);
}
Execute build_barrier_result(Instruction& i, Modifiers& m) {
  const bool fits =
      m.take("RESULT") && (i.count == 1 || (i.count == 2 && is_predicate(i.operand[1]))) && are_numbers(i, 0, 1);
  return fits ? run_barrier_result : nullptr;
}

void run_fence(Warp& w, const Instruction& i) { w.launch.order.fence(w.order, w.active(), i.detail != 0); }
Execute build_fence(Instruction& i, Modifiers& m) {
  const int scope = m.take_one({"GPU", "SYS", "CTA"});
  i.detail = scope == 2;
  return m.take_one({"SC", "ALL"}) >= 0 && scope >= 0 && i.count == 0 ? run_fence : nullptr;
}

void run_acquire(Warp& w, const Instruction&) { w.launch.order.acquire(w.order, w.active(), false); }
Execute build_acquire(Instruction& i, Modifiers& m) { return m.take("IVALL") && i.count == 0 ? run_acquire : nullptr; }

// NOP is what is left of __syncwarp where the compiler knows that its lanes are together. Behind an access that is
// strong within the block it is what is left of the fence that acquires.
void run_nop(Warp& w, const Instruction&) {
  const uint32_t at = w.instruction();
  const bool acquires = at > 0 && w.launch.program.code[at - 1].opcode.find(".STRONG.SM") != std::string::npos;
  if (acquires) w.launch.order.acquire(w.order, w.active(), true);
  else w.launch.order.warp_barrier(w.order, w.active(), w.lanes.live());
}
void run_nothing(Warp&, const Instruction&) {}
void run_yield(Warp& w, const Instruction&) { w.lanes.choose(w.launch.options.seed ? &w.launch.random : nullptr); }

template <Execute run> Execute build_bare(Instruction& i, Modifiers&) { return i.count <= 1 ? run : nullptr; }

}  // namespace

Entries control_instructions() {
  return {{"BRA", build_branch, Pipe::control},
          {"BRX", build_indirect_branch<Kind::reg>, Pipe::control},
          {"BRXU", build_indirect_branch<Kind::uniform>, Pipe::control},
          {"CALL", build_call, Pipe::control},
          {"RET", build_return, Pipe::control},
          {"EXIT", build_bare<run_exit>, Pipe::control},
          {"BSSY", build_open, Pipe::control},
          {"BSYNC", build_reconverge, Pipe::control},
          {"BREAK", build_leave, Pipe::control},
          {"BMOV", build_move_barrier, Pipe::control},
          {"WARPSYNC", build_wait_for_warp, Pipe::control},
          {"ENDCOLLECTIVE", build_bare<run_nothing>, Pipe::control},
          {"BAR", build_wait_for_block, Pipe::control},
          {"B2R", build_barrier_result, Pipe::control},
          {"MEMBAR", build_fence, Pipe::control},
          {"CCTL", build_acquire, Pipe::control},
          {"ERRBAR", build_bare<run_nothing>, Pipe::control},
          {"CGAERRBAR", build_bare<run_nothing>, Pipe::control},
          {"NOP", build_bare<run_nop>, Pipe::control},
          {"YIELD", build_bare<run_yield>, Pipe::control},
          {"NANOSLEEP", build_bare<run_yield>, Pipe::control}};
}

}  // namespace machine
