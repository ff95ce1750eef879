// Which results are ever read. Compilers widen loads: of 16 bytes that one loads, a program may want 12, and the others
// may be written by nobody, or by somebody else just now. Only what some way through the code reads is checked.
#pragma once
#include "cubin.h"
#include "instruction.h"

namespace machine {

// Sets Instruction::used. `literals`: constant bank 2, where the targets of indirect branches stand.
void mark_used_words(std::vector<Instruction>& code, const Bytes& literals);

}  // namespace machine
