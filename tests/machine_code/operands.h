// Takes the text of operands apart.
#pragma once
#include <optional>

#include "instruction.h"

namespace machine {

// Splits at commas that are not inside brackets.
std::vector<std::string_view> split_operands(std::string_view text);
// The operand of that text; none if it is not known. `encoded`: the upper half of the instruction's first word, where a
// floating-point immediate lies exactly; printed ones are rounded.
std::optional<Operand> read_operand(std::string_view text, uint32_t encoded);

}  // namespace machine
