#include "cubin.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace machine {
namespace {

constexpr uint32_t kNoBits = 8, kRela = 4;              // types of sections
constexpr uint32_t kAbsolute32 = 1, kAbsolute64 = 2;    // types of relocations
constexpr unsigned kMaxThreads = 0x05, kStack = 0x12, kRegisters = 0x2f;  // attributes of nv.info
constexpr size_t kParameters = 0x210;                   // where parameters start in bank 0

template <class T> T at(const Bytes& b, size_t offset) {
  if (offset + sizeof(T) > b.size()) throw std::invalid_argument("machine: a cubin that ends too early");
  T value;
  std::memcpy(&value, b.data() + offset, sizeof(T));
  return value;
}

std::string text(const Bytes& b, size_t offset) {
  return offset < b.size() ? std::string(reinterpret_cast<const char*>(b.data()) + offset) : std::string();
}

}  // namespace

Cubin::Cubin(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::invalid_argument("machine: cannot read " + path);
  Bytes file(std::filesystem::file_size(path));
  in.read(reinterpret_cast<char*>(file.data()), static_cast<std::streamsize>(file.size()));
  read_sections(file);
  read_symbols();
  place_variables();
  relocate();
}

void Cubin::read_sections(const Bytes& file) {
  const size_t headers = at<uint64_t>(file, 0x28), count = at<uint16_t>(file, 0x3c), names = at<uint16_t>(file, 0x3e);
  const auto field = [&](size_t i, size_t offset) { return at<uint64_t>(file, headers + 64 * i + offset); };
  const size_t name_offset = field(names, 24);
  for (size_t i = 0; i < count; ++i) {
    const size_t header = headers + 64 * i, begin = field(i, 24), size = field(i, 32);
    Section s{at<uint32_t>(file, header + 4), at<uint32_t>(file, header + 44), {}, size, i};
    if (s.type != kNoBits) {
      if (begin + size > file.size()) throw std::invalid_argument("machine: a cubin that ends too early");
      s.bytes.assign(file.begin() + begin, file.begin() + begin + size);
    }
    sections_[text(file, name_offset + at<uint32_t>(file, header))] = std::move(s);
  }
}

void Cubin::read_symbols() {
  const Section *table = find(".symtab"), *names = find(".strtab");
  if (!table || !names) return;
  for (size_t o = 0; o + 24 <= table->bytes.size(); o += 24)
    symbols_.push_back({text(names->bytes, at<uint32_t>(table->bytes, o)), at<uint16_t>(table->bytes, o + 6),
                        at<uint64_t>(table->bytes, o + 8), at<uint64_t>(table->bytes, o + 16)});
}

void Cubin::place_variables() {
  for (const auto& [name, s] : sections_) {
    if (name != ".nv.global" && name != ".nv.global.init") continue;
    Block block{std::make_unique<unsigned char[]>(s.size), s.size};  // zeros
    if (!s.bytes.empty()) std::memcpy(block.bytes.get(), s.bytes.data(), s.size);
    placed_[s.index] = block.bytes.get();
    blocks_.push_back(std::move(block));
  }
  for (const Symbol& s : symbols_)
    if (const auto p = placed_.find(s.section); p != placed_.end() && s.size > 0)
      variables_[s.name] = {p->second + s.value, s.size};
}

// Fills the addresses of variables into constants. Code holds none: it reads them from bank 4.
void Cubin::relocate() {
  for (unsigned bank : {3u, 4u})
    if (const Section* s = find(".nv.constant" + std::to_string(bank))) banks_[bank] = s->bytes;
  for (const auto& [name, s] : sections_) {
    if (s.type != kRela || s.bytes.empty() || name.starts_with(".rela.debug")) continue;
    const std::string prefix = ".rela.nv.constant";
    const unsigned bank = name.size() > prefix.size() ? name[prefix.size()] - '0' : 0;
    if (!name.starts_with(prefix) || name.size() != prefix.size() + 1 || !banks_.count(bank))
      throw std::invalid_argument("machine: relocations of " + name + " are not known");
    for (size_t o = 0; o + 24 <= s.bytes.size(); o += 24) {
      const uint64_t offset = at<uint64_t>(s.bytes, o), info = at<uint64_t>(s.bytes, o + 8);
      const Symbol& symbol = symbols_.at(info >> 32);
      const auto place = placed_.find(symbol.section);
      const uint64_t type = info & 0xffffffffu;
      if (type != kAbsolute64 || place == placed_.end() || offset + 8 > banks_[bank].size())
        throw std::invalid_argument("machine: relocation of type " + std::to_string(type) + " to " + symbol.name);
      const uint64_t value =
          reinterpret_cast<uint64_t>(place->second) + symbol.value + at<uint64_t>(s.bytes, o + 16);
      std::memcpy(banks_[bank].data() + offset, &value, 8);
    }
  }
}

void Cubin::attributes(const Bytes& info,
                       const std::function<void(unsigned, const std::vector<uint32_t>&)>& f) {
  for (size_t o = 0; o + 4 <= info.size();) {
    const unsigned format = info[o], attribute = info[o + 1], size = at<uint16_t>(info, o + 2);
    o += 4;
    if (format != 4) continue;  // the value is in the header itself
    std::vector<uint32_t> words;
    for (unsigned w = 0; w + 4 <= size; w += 4) words.push_back(at<uint32_t>(info, o + w));
    f(attribute, words);
    o += size;
  }
}

KernelNeeds Cubin::needs(const std::string& kernel) const {
  KernelNeeds n;
  const Section* parameters = find(".nv.constant0." + kernel);
  if (!parameters) throw std::invalid_argument("machine: no kernel " + kernel);
  n.parameters = parameters->size - kParameters;
  if (const Section* s = find(".nv.shared." + kernel)) n.shared = s->size;
  if (const Section* s = find(".nv.constant2." + kernel)) n.literals = s->bytes;
  if (const Section* s = find(".nv.info"))
    attributes(s->bytes, [&](unsigned attribute, const std::vector<uint32_t>& w) {
      if (w.size() != 2 || symbols_.at(w[0]).name != kernel) return;
      if (attribute == kStack) n.stack = w[1];
      if (attribute == kRegisters) n.registers = w[1];
    });
  if (const Section* s = find(".nv.info." + kernel))
    attributes(s->bytes, [&](unsigned attribute, const std::vector<uint32_t>& w) {
      if (attribute == kMaxThreads && w.size() == 3) n.most_threads = w[0] * w[1] * w[2];
    });
  return n;
}

const Bytes& Cubin::constants(unsigned bank) const {
  static const Bytes none;
  const auto found = banks_.find(bank);
  return found == banks_.end() ? none : found->second;
}

const Cubin::Section* Cubin::find(const std::string& name) const {
  const auto found = sections_.find(name);
  return found == sections_.end() ? nullptr : &found->second;
}

}  // namespace machine
