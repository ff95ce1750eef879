// The schemas of all operators, in a second namespace of their own.
#define fastiou fastiou_machine_gpu
#include "../../../csrc/ops/schema.cpp"
