#include "machine.h"

#include <fstream>
#include <sstream>

#include "launch.h"
#include "liveness.h"
#include "listing.h"

namespace machine {
namespace {

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::invalid_argument("machine: cannot read " + path);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

}  // namespace

struct Machine::State {
  struct Kernel {
    std::shared_ptr<const Cubin> cubin;
    std::string_view text;
    std::unique_ptr<Program> program;  // once it was asked for
  };
  Memory memory;
  Order order;
  Options options;
  std::vector<std::unique_ptr<Listing>> listings;
  std::vector<std::shared_ptr<const Cubin>> cubins;
  std::map<std::string, Kernel> kernels;

  // Returns the kernel of a name, or the only one of its template arguments: compilers spell types of parameters that
  // depend on these in different ways, and what comes before them alike.
  std::map<std::string, Kernel>::iterator find(const std::string& name) {
    const auto found = kernels.find(name);
    const size_t end = name.find("EEv");
    if (found != kernels.end() || end == std::string::npos) return found;
    const auto is_alike = [&](auto k) { return k != kernels.end() && k->first.starts_with(name.substr(0, end + 3)); };
    const auto first = kernels.lower_bound(name.substr(0, end + 3));
    return is_alike(first) && !is_alike(std::next(first)) ? first : kernels.end();
  }

  Program& program(const std::string& name) {
    const auto found = find(name);
    if (found == kernels.end()) throw std::invalid_argument("machine: no kernel " + name);
    Kernel& k = found->second;
    if (!k.program) {
      k.program = std::make_unique<Program>(Program{found->first, k.cubin, k.cubin->needs(found->first), {}});
      for (const Line& line : Listing::lines(k.text)) {
        if (line.address != 16 * k.program->code.size())
          throw std::invalid_argument("machine: the listing of " + name + " has a gap");
        k.program->code.push_back(decode(line));
      }
      mark_used_words(k.program->code, k.program->needs.literals);
    }
    return *k.program;
  }
};

Machine::Machine() : state_(std::make_unique<State>()) {}
Machine::~Machine() = default;
Machine::Machine(Machine&&) noexcept = default;
Machine& Machine::operator=(Machine&&) noexcept = default;

void Machine::load(const std::string& cubin, const std::string& listing) {
  State& s = *state_;
  s.cubins.push_back(std::make_shared<const Cubin>(cubin));
  s.listings.push_back(std::make_unique<Listing>(contents(listing)));
  for (const auto& block : s.cubins.back()->blocks()) s.memory.allow(block.bytes.get(), block.size, true);
  for (const auto& [name, text] : s.listings.back()->functions())
    s.kernels.try_emplace(name, s.cubins.back(), text, nullptr);
}

std::vector<std::string> Machine::kernels() const {
  std::vector<std::string> names;
  for (const auto& [name, kernel] : state_->kernels) names.push_back(name);
  return names;
}

void Machine::allow(const void* p, size_t bytes, bool written) { state_->memory.allow(p, bytes, written); }
void Machine::forget(const void* p) { state_->memory.forget(p); }
void Machine::note_written(const void* p, size_t bytes) { state_->memory.note_written(p, bytes); }
bool Machine::written(const void* p, size_t bytes) const { return state_->memory.written(p, bytes); }

void* Machine::variable(const std::string& name, size_t* bytes) {
  for (const auto& cubin : state_->cubins)
    if (const auto found = cubin->variables().find(name); found != cubin->variables().end()) {
      if (bytes) *bytes = found->second.bytes;
      return found->second.address;
    }
  throw std::invalid_argument("machine: no variable " + name);
}

Options& Machine::options() { return state_->options; }

std::string Machine::name(const std::string& kernel) const { return state_->program(kernel).name; }

size_t Machine::parameter_bytes(const std::string& kernel) const { return state_->program(kernel).needs.parameters; }

std::vector<std::string> Machine::unknown(const std::string& kernel) {
  std::vector<std::string> out;
  for (const Instruction& i : state_->program(kernel).code)
    if (!is_known(i)) out.push_back(i.text);
  return out;
}

Counts Machine::run(const std::string& kernel, Grid grid, const std::vector<unsigned char>& params) {
  State& s = *state_;
  const Program& program = s.program(kernel);
  if (params.size() != program.needs.parameters)
    throw std::invalid_argument("machine: " + kernel + " takes " + std::to_string(program.needs.parameters) +
                                " bytes of parameters, not " + std::to_string(params.size()));
  return Launch(program, s.memory, s.order, s.options, grid, params).run();
}

}  // namespace machine
