#include "operands.h"

#include <cstdlib>

namespace machine {
namespace {

// The text that is left to be read.
struct Reader {
  std::string_view rest;

  bool take(std::string_view s) {
    if (!rest.starts_with(s)) return false;
    rest.remove_prefix(s.size());
    return true;
  }
  bool starts_with_digit(size_t at = 0) const { return rest.size() > at && rest[at] >= '0' && rest[at] <= '9'; }
  bool done() const { return rest.empty(); }
  void skip_spaces() {
    while (take(" ")) {}
  }
  // A number in hexadecimal with 0x and perhaps a sign.
  std::optional<int64_t> hexadecimal() {
    const bool negative = rest.starts_with("-");
    Reader r{rest.substr(negative || rest.starts_with("+") ? 1 : 0)};
    if (!r.take("0x")) return {};
    uint64_t value = 0;
    size_t n = 0;
    for (; n < r.rest.size(); ++n) {
      const char c = r.rest[n];
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
      if (digit < 0) break;
      value = value << 4 | static_cast<unsigned>(digit);
    }
    if (n == 0) return {};
    rest = r.rest.substr(n);
    return static_cast<int64_t>(negative ? -value : value);
  }
  // The number of a register or predicate after its letters, or `none` after `letter_of_none`.
  std::optional<uint8_t> number(char letter_of_none, unsigned none) {
    if (!rest.empty() && rest[0] == letter_of_none) return rest.remove_prefix(1), none;
    if (!starts_with_digit()) return {};
    unsigned value = 0;
    while (starts_with_digit()) value = value * 10 + (rest[0] - '0'), rest.remove_prefix(1);
    if (value >= none) return {};
    return value;
  }
};

constexpr struct {
  std::string_view name;
  Part part;
} kParts[] = {{".H0_H0", Part::low}, {".H1_H1", Part::high}, {".H1_H0", Part::both}, {".B0", Part::byte0},
              {".B1", Part::byte1},  {".B2", Part::byte2},   {".B3", Part::byte3}};

constexpr struct {
  std::string_view name;
  Special special;
} kSpecials[] = {{"SR_TID.X", Special::thread_x},       {"SR_TID.Y", Special::thread_y},
                 {"SR_TID.Z", Special::thread_z},       {"SR_CTAID.X", Special::block_x},
                 {"SR_CTAID.Y", Special::block_y},      {"SR_CTAID.Z", Special::block_z},
                 {"SR_LANEID", Special::lane},          {"SR_CgaCtaId", Special::cluster_rank},
                 {"SR_SWINHI", Special::shared_window}, {"SR_CLOCKLO", Special::clock},
                 {"SR_EQMASK", Special::lanes_equal},   {"SR_LTMASK", Special::lanes_below},
                 {"SR_LEMASK", Special::lanes_up_to},   {"SR_GTMASK", Special::lanes_above},
                 {"SR_GEMASK", Special::lanes_from},    {"SRZ", Special::zero}};

// A register with what may follow it; true if all of it was read.
bool read_register(Reader& r, Operand& o) {
  const bool uniform = r.take("UR");
  if (!uniform && !r.take("R")) return false;
  const auto n = uniform ? r.number('Z', kNoUniform) : r.number('Z', kNoRegister);
  if (!n) return false;
  o.kind = uniform ? Kind::uniform : Kind::reg;
  (uniform ? o.uniform : o.reg) = *n;
  o.reg = *n;
  for (bool again = true; again;) {
    again = r.take(".reuse");
    for (const auto& [name, part] : kParts)
      if (r.take(name)) o.part = part, again = true;
  }
  return true;
}

// [register.suffix + uniform register + offset], in any number, in this order.
bool read_place(Reader& r, Operand& o) {
  for (bool first = true; !r.take("]"); first = false) {
    if (!first && !r.rest.starts_with("-") && !r.take("+")) return false;
    if (r.rest.starts_with("UR")) {
      r.take("UR");
      const auto n = r.number('Z', kNoUniform);
      if (!n) return false;
      o.uniform = *n;
    } else if (r.take("R")) {
      const auto n = r.number('Z', kNoRegister);
      if (!n) return false;
      o.reg = *n;
      for (bool again = true; again;) {
        again = true;
        if (r.take(".64")) o.wide = true;
        else if (r.take(".X4")) o.scale = 4;
        else if (r.take(".X8")) o.scale = 8;
        else if (r.take(".X16")) o.scale = 16;
        else again = r.take(".U32") || r.take(".reuse");
      }
    } else if (const auto offset = r.hexadecimal()) {
      o.value = *offset;
    } else {
      return false;
    }
  }
  return true;
}

bool read_constant(Reader& r, Operand& o) {
  const auto bank = r.hexadecimal();
  if (!bank || !r.take("]")) return false;
  r.skip_spaces();
  o.kind = Kind::constant;
  o.bank = static_cast<uint8_t>(*bank);
  return r.take("[") && read_place(r, o);
}

// desc[UR4][place] or [place]. The descriptor says how caches treat the access.
bool read_address(Reader& r, Operand& o) {
  if (r.take("desc[UR")) {
    if (!r.number('Z', kNoUniform) || !r.take("][")) return false;
  } else if (!r.take("[")) {
    return false;
  }
  o.kind = Kind::address;
  return read_place(r, o);
}

// True if a printed floating-point number is the encoded one as a float, or as the upper half of a double.
bool is_encoded(std::string_view text, uint32_t encoded) {
  const std::string s(text);
  const float f = std::strtof(s.c_str(), nullptr);
  const double d = std::strtod(s.c_str(), nullptr);
  return __builtin_bit_cast(uint32_t, f) == encoded || __builtin_bit_cast(uint64_t, d) == uint64_t(encoded) << 32 ||
         s.find("NAN") != s.npos;
}

bool read_immediate(Reader& r, Operand& o, uint32_t encoded) {
  o.kind = Kind::immediate;
  if (const auto value = r.hexadecimal()) return o.value = *value, true;
  const bool number =
      r.starts_with_digit() || r.starts_with_digit(1) || r.rest.find("INF") < 2 || r.rest.find("NAN") < 3;
  if (!number) return false;
  // halves are printed one by one: then the number alone says little, and the encoding holds both
  o.value = encoded;
  o.part = is_encoded(r.rest, encoded) ? Part::all : Part::both;
  r.rest = {};
  return true;
}

}  // namespace

std::vector<std::string_view> split_operands(std::string_view text) {
  std::vector<std::string_view> out;
  const auto add = [&](std::string_view s) {
    while (s.starts_with(" ")) s.remove_prefix(1);
    while (s.ends_with(" ")) s.remove_suffix(1);
    if (!s.empty()) out.push_back(s);
  };
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    depth += (text[i] == '[') - (text[i] == ']');
    if (text[i] != ',' || depth > 0) continue;
    add(text.substr(begin, i - begin));
    begin = i + 1;
  }
  add(text.substr(begin));
  return out;
}

std::optional<Operand> read_operand(std::string_view text, uint32_t encoded) {
  Operand o;
  Reader r{text};
  if (r.rest == "PR") return o.kind = Kind::predicates, o;
  for (const auto& [name, special] : kSpecials)
    if (r.rest == name) return o.kind = Kind::special, o.value = static_cast<int64_t>(special), o;
  const bool signed_number = r.starts_with_digit(1) || text.starts_with("-INF") || text.starts_with("-QNAN");
  if (text.starts_with("-") && !signed_number) o.negate = r.take("-");
  o.invert = r.take("~") || r.take("!");
  o.absolute = r.take("|");
  bool known;
  if (r.take("c[")) {
    known = read_constant(r, o);
  } else if (r.rest.starts_with("[") || r.rest.starts_with("desc")) {
    known = read_address(r, o);
  } else if (r.rest.starts_with("R") || r.rest.starts_with("UR")) {
    known = read_register(r, o);
  } else if (const bool uniform = r.take("UP"); uniform || r.take("P")) {
    const auto n = r.number('T', kTrue);
    known = n.has_value();
    o.kind = uniform ? Kind::uniform_predicate : Kind::predicate;
    o.reg = n.value_or(kTrue);
  } else if (r.rest.starts_with("B") && r.starts_with_digit(1)) {
    r.take("B");
    const auto n = r.number('-', 16);
    known = n.has_value();
    o.kind = Kind::barrier;
    o.reg = n.value_or(0);
  } else {
    known = read_immediate(r, o, encoded);
  }
  if (o.absolute) known &= r.take("|");
  r.take(".reuse");
  r.skip_spaces();
  if (!known || !r.done()) return {};
  return o;
}

}  // namespace machine
