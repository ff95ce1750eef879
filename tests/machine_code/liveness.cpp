#include "liveness.h"

#include <bitset>
#include <cstring>

namespace machine {
namespace {

using Registers = std::bitset<256>;

void add(Registers& set, const Operand& o) {
  for (unsigned k = 0; k < o.width && o.reg + k < kNoRegister; ++k) set.set(o.reg + k);
}

Registers reads(const Instruction& i) {
  Registers out;
  for (unsigned k = 0; k < i.count; ++k) {
    const Operand& o = i.operand[k];
    const bool is_register = o.is(Kind::reg) || o.is(Kind::address) || o.is(Kind::constant);
    if (is_register && static_cast<int>(k) != i.result) add(out, o);
  }
  return out;
}

bool always(const Instruction& i) { return i.guard == kTrue && !i.guard_inverted; }
bool starts(const Instruction& i, const char* name) { return i.opcode.rfind(name, 0) == 0; }

// The instructions that may follow one.
class Ways {
 public:
  Ways(const std::vector<Instruction>& code, const Bytes& literals) : code_(code) {
    for (size_t o = 0; o + 4 <= literals.size(); o += 4) {
      uint32_t address;
      std::memcpy(&address, literals.data() + o, 4);
      if (address % 16 == 0 && address / 16 < code.size()) listed_.push_back(address / 16);
    }
    for (size_t k = 0; k + 1 < code.size(); ++k)
      if (starts(code[k], "CALL")) returns_.push_back(k + 1);
  }

  template <class F> void each(size_t k, F f) const {
    const Instruction& i = code_[k];
    const bool branches = starts(i, "BRA"), calls = starts(i, "CALL");
    const bool leaves = always(i) && (calls || starts(i, "EXIT") || starts(i, "BRX") || starts(i, "RET") ||
                                      (branches && i.count == 1));
    if (!leaves && k + 1 < code_.size()) f(k + 1);
    const bool direct = (branches || calls) && i.operand[0].is(Kind::reg) == false;
    if (direct) f(static_cast<size_t>(i.operand[i.count - 1].value) / 16);
    if (starts(i, "BRX") || (calls && !direct))
      for (size_t target : listed_) f(target);
    if (starts(i, "RET"))
      for (size_t target : returns_) f(target);
  }

 private:
  const std::vector<Instruction>& code_;
  std::vector<size_t> listed_, returns_;
};

}  // namespace

void mark_used_words(std::vector<Instruction>& code, const Bytes& literals) {
  const Ways ways(code, literals);
  std::vector<Registers> live(code.size() + 1);  // before each instruction
  const auto live_after = [&](size_t k) {
    Registers out;
    ways.each(k, [&](size_t next) {
      if (next < code.size()) out |= live[next];
    });
    return out;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t k = code.size(); k-- > 0;) {
      const Instruction& i = code[k];
      Registers now = live_after(k);
      if (i.result >= 0 && always(i)) {
        Registers written;
        add(written, i.operand[i.result]);
        now &= ~written;
      }
      now |= reads(i);
      changed |= now != live[k];
      live[k] = now;
    }
  }
  for (size_t k = 0; k < code.size(); ++k) {
    if (code[k].result < 0) continue;
    const Operand& o = code[k].operand[code[k].result];
    const Registers after = live_after(k);
    code[k].used = 0;
    for (unsigned w = 0; w < o.width && o.reg + w < kNoRegister; ++w)
      code[k].used |= static_cast<uint8_t>(after[o.reg + w] << w);
  }
}

}  // namespace machine
