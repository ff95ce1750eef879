// The schemas of all operators, in a namespace of their own.
#define fastiou fastiou_machine
#include "../../../csrc/ops/schema.cpp"
