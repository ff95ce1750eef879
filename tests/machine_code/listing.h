// The text that `cuobjdump -sass` prints for a cubin: its functions, their instructions.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace machine {

struct Line {
  uint32_t address;
  std::string text;  // guard, opcode with modifiers, operands; no semicolon
  uint64_t code;     // the first 64 bits of the encoding: immediate operands are its upper half
};

// Keeps the text and finds functions in it; their lines are taken apart when they are asked for.
class Listing {
 public:
  explicit Listing(std::string text);
  const std::map<std::string, std::string_view>& functions() const { return functions_; }
  static std::vector<Line> lines(std::string_view function);

 private:
  std::string text_;
  std::map<std::string, std::string_view> functions_;
};

}  // namespace machine
