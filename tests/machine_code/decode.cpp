#include <algorithm>
#include <unordered_map>

#include "operands.h"
#include "warp.h"

namespace machine {
namespace {

void run_unknown(Warp& w, const Instruction&) { w.fault("unknown instruction", w.first_lane(), "cannot be executed"); }

const std::unordered_map<std::string_view, Entry>& entries() {
  static const auto all = [] {
    std::unordered_map<std::string_view, Entry> map;
    for (const Entries& group :
         {integer_instructions(), logic_instructions(), float_instructions(), double_instructions(),
          half_instructions(), function_instructions(), conversion_instructions(), control_instructions(),
          warp_instructions(), memory_instructions(), atomic_instructions()})
      for (const Entry& e : group) map.emplace(e.name, e);
    return map;
  }();
  return all;
}

// Reads @P0, @!UP1 and takes it off the text; false if it is something else.
bool read_guard(std::string_view& text, Instruction& i) {
  if (!text.starts_with("@")) return true;
  const size_t end = text.find(' ');
  const auto o = read_operand(text.substr(1, end - 1), 0);
  if (end == text.npos || !o || (!o->is(Kind::predicate) && !o->is(Kind::uniform_predicate))) return false;
  i.guard = o->reg;
  i.guard_inverted = o->invert;
  i.guard_uniform = o->is(Kind::uniform_predicate);
  text.remove_prefix(end);
  while (text.starts_with(" ")) text.remove_prefix(1);
  return true;
}

// Which operand an instruction writes: the first that is a register, behind predicates that it writes too.
int8_t result_of(const Instruction& i, std::string_view name) {
  for (std::string_view reads_only : {"BRX", "CALL", "RET", "WARPSYNC", "NANOSLEEP"})
    if (name == reads_only) return -1;
  for (unsigned k = 0; k < i.count; ++k) {
    if (i.operand[k].is(Kind::reg)) return static_cast<int8_t>(k);
    if (!i.operand[k].is(Kind::predicate)) break;
  }
  return -1;
}

// Builds an instruction whose text is set; false if it is unknown.
bool build(Instruction& i, uint64_t code) {
  std::string_view text = i.text;
  if (!read_guard(text, i)) return false;
  const size_t space = text.find(' ');
  i.opcode = text.substr(0, space);
  std::string rest(space == text.npos ? "" : text.substr(space + 1));
  Modifiers modifiers(i.opcode);
  const auto name = modifiers.name();
  // `R4 -0x10`: a register and an offset, where control goes
  if (name == "BRX" || name == "BRXU" || name == "RET" || name == "CALL")
    std::replace(rest.begin(), rest.end(), ' ', ',');
  const auto found = entries().find(name);
  if (found == entries().end()) return false;
  i.pipe = found->second.pipe;
  for (std::string_view operand : split_operands(rest)) {
    const auto o = read_operand(operand, static_cast<uint32_t>(code >> 32));
    if (!o || i.count == std::size(i.operand)) return false;
    i.operand[i.count++] = *o;
  }
  i.result = result_of(i, name);
  const Execute execute = found->second.build(i, modifiers);
  if (!execute || !modifiers.empty()) return false;
  for (unsigned k = 0; k < i.count && !i.reads_parts; ++k)
    if (i.operand[k].part != Part::all) return false;
  i.execute = execute;
  return true;
}

}  // namespace

const char* name_of(Pipe pipe) {
  constexpr const char* names[] = {"alu", "fma", "fma_heavy", "half", "fp64", "xu", "lsu", "uniform", "control"};
  return names[static_cast<int>(pipe)];
}

Modifiers::Modifiers(std::string_view opcode) {
  size_t dot = opcode.find('.');
  name_ = opcode.substr(0, dot);
  while (dot != opcode.npos) {
    const size_t next = opcode.find('.', dot + 1);
    parts_.push_back(opcode.substr(dot + 1, next == opcode.npos ? next : next - dot - 1));
    dot = next;
  }
}

bool Modifiers::take(std::string_view modifier) {
  const auto found = std::find(parts_.begin(), parts_.end(), modifier);
  if (found == parts_.end()) return false;
  parts_.erase(found);
  return true;
}

int Modifiers::take_one(std::initializer_list<std::string_view> modifiers) {
  for (auto part = parts_.begin(); part != parts_.end(); ++part)
    if (const auto m = std::find(modifiers.begin(), modifiers.end(), *part); m != modifiers.end()) {
      parts_.erase(part);
      return static_cast<int>(m - modifiers.begin());
    }
  return -1;
}

Instruction decode(const Line& line) {
  Instruction i;
  i.address = line.address;
  i.text = line.text;
  if (!build(i, line.code)) i.execute = run_unknown;
  return i;
}

bool is_known(const Instruction& i) { return i.execute != run_unknown; }

}  // namespace machine
