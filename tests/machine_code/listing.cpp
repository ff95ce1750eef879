#include "listing.h"

#include <cstdlib>

namespace machine {

Listing::Listing(std::string text) : text_(std::move(text)) {
  constexpr std::string_view head = "Function : ";
  const std::string_view all = text_;
  for (size_t at = all.find(head); at != all.npos;) {
    const size_t name = at + head.size(), body = all.find('\n', name), next = all.find(head, name);
    functions_.emplace(all.substr(name, body - name), all.substr(body, next == all.npos ? next : next - body));
    at = next;
  }
}

// An instruction's line: `/*address*/ text ; /* encoding */`. The line after it has the upper half of the encoding
// alone.
std::vector<Line> Listing::lines(std::string_view function) {
  std::vector<Line> out;
  for (size_t at = 0; at < function.size();) {
    size_t end = function.find('\n', at);
    if (end == function.npos) end = function.size();
    const std::string_view line = function.substr(at, end - at);
    at = end + 1;
    const size_t open = line.find("/*"), close = line.find("*/"), stop = line.find(';');
    if (open == line.npos || stop == line.npos || close > stop) continue;
    const size_t code = line.find("/* 0x", stop);
    size_t first = close + 2, last = stop;
    while (first < last && line[first] == ' ') ++first;
    while (last > first && line[last - 1] == ' ') --last;
    out.push_back({static_cast<uint32_t>(std::strtoul(line.data() + open + 2, nullptr, 16)),
                   std::string(line.substr(first, last - first)),
                   code == line.npos ? 0 : std::strtoull(line.data() + code + 3, nullptr, 16)});
  }
  return out;
}

}  // namespace machine
