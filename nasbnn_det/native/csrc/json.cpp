#include "json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <locale>
#include <sstream>
#include <stdexcept>

namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kBrief = 120;

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += char(code);
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  out += char((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | code >> 6 * more);
  for (int i = more - 1; i >= 0; --i) out += char(0x80 | (code >> 6 * i & 0x3f));
}

// The code point that begins at `at`, which moves behind it; -1: no UTF-8.
int64_t next_code(std::string_view text, size_t& at) {
  const uint8_t first = uint8_t(text[at++]);
  if (first < 0x80) return first;
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < size_t(more)) return -1;
  uint32_t code = first & (0x3f >> more);
  for (int i = 0; i < more; ++i) {
    const uint8_t byte = uint8_t(text[at++]);
    if ((byte & 0xc0) != 0x80) return -1;
    code = code << 6 | (byte & 0x3f);
  }
  const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  return code < least[more] || code > 0x10ffff ? -1 : int64_t(code);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Json whole() {
    Json value = parse(0);
    skip_space();
    if (at_ != text_.size()) fail("more follows behind its end");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::invalid_argument("JSON, byte " + std::to_string(at_) + ": " + what);
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char wanted) {
    skip_space();
    if (peek() != wanted || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Json parse(int depth) {
    if (depth > kMaxDepth) fail("it is nested too deeply");
    skip_space();
    Json out;
    const char first = peek();
    if (first == '{') {
      object(out, depth);
    } else if (first == '[') {
      array(out, depth);
    } else if (first == '"') {
      out.kind = Json::Kind::kString;
      out.text = string();
    } else if (first == '-' || (first >= '0' && first <= '9')) {
      out.kind = Json::Kind::kNumber;
      out.text = number();
    } else if (take_word("true") || take_word("false")) {
      out.kind = Json::Kind::kBool;
      out.truth = first == 't';
    } else if (!take_word("null")) {
      fail("a value is missing");
    }
    return out;
  }

  void object(Json& out, int depth) {
    out.kind = Json::Kind::kObject;
    ++at_;
    if (take('}')) return;
    do {
      skip_space();
      if (peek() != '"') fail("a key is missing");
      std::string key = string();
      if (!take(':')) fail("a colon is missing");
      out.members.emplace_back(std::move(key), parse(depth + 1));
    } while (take(','));
    if (!take('}')) fail("a brace is missing");
    std::vector<std::string_view> keys;
    for (const auto& member : out.members) keys.push_back(member.first);
    std::sort(keys.begin(), keys.end());
    if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) fail("an object has a key twice");
  }

  void array(Json& out, int depth) {
    out.kind = Json::Kind::kArray;
    ++at_;
    if (take(']')) return;
    do out.items.push_back(parse(depth + 1));
    while (take(','));
    if (!take(']')) fail("a bracket is missing");
  }

  void digits() {
    if (peek() < '0' || peek() > '9') fail("a digit is missing");
    while (peek() >= '0' && peek() <= '9') ++at_;
  }

  std::string number() {
    const size_t from = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0') ++at_;
    else digits();
    if (peek() == '.') {
      ++at_;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      digits();
    }
    return std::string(text_.substr(from, at_ - from));
  }

  uint32_t hex4() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) fail("a hexadecimal digit is missing");
      code = code << 4 | uint32_t(digit);
    }
    return code;
  }

  void escape(std::string& out) {
    static const std::string_view kNames = "\"\\/bfnrt", kMeant = "\"\\/\b\f\n\r\t";
    const char c = peek();
    ++at_;
    if (const size_t known = kNames.find(c); c != '\0' && known != kNames.npos) {
      out += kMeant[known];
      return;
    }
    if (c != 'u') fail("an escape is unknown");
    uint32_t code = hex4();
    if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      const size_t before = at_;
      at_ += 2;
      const uint32_t low = hex4();
      if (low >= 0xdc00 && low < 0xe000) code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      else at_ = before;
    }
    append_utf8(out, code);
  }

  std::string string() {
    std::string out;
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\') {
        ++at_;
        escape(out);
        continue;
      }
      const size_t from = at_;
      const int64_t code = next_code(text_, at_);
      if (code < 0x20) fail("a string has a byte that is no UTF-8, or a control character");
      out.append(text_.substr(from, at_ - from));
    }
    if (at_ >= text_.size()) fail("a string has no end");
    ++at_;
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
};

void dump_string(const std::string& text, std::string& out) {
  out += '"';
  for (size_t at = 0; at < text.size();) {
    const uint32_t code = uint32_t(next_code(text, at));
    const auto unit = [&](uint32_t value) {
      char escaped[16];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", unsigned(value));
      out += escaped;
    };
    static const std::string_view kMeant = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
    const size_t known = code < 0x80 ? kMeant.find(char(code)) : kMeant.npos;
    if (known != kMeant.npos) (out += '\\') += kNames[known];
    else if (code >= 0x20 && code < 0x7f) out += char(code);
    else if (code < 0x10000) unit(code);
    else unit(0xd800 + ((code - 0x10000) >> 10)), unit(0xdc00 + ((code - 0x10000) & 0x3ff));
  }
  out += '"';
}

void dump_value(const Json& value, bool sorted, std::string& out) {
  switch (value.kind) {
    case Json::Kind::kNull: out += "null"; return;
    case Json::Kind::kBool: out += value.truth ? "true" : "false"; return;
    case Json::Kind::kNumber: out += value.text; return;
    case Json::Kind::kString: return dump_string(value.text, out);
    case Json::Kind::kArray:
      out += '[';
      for (size_t i = 0; i < value.items.size(); ++i) {
        if (i) out += ", ";
        dump_value(value.items[i], sorted, out);
      }
      out += ']';
      return;
    case Json::Kind::kObject: break;
  }
  std::vector<const std::pair<std::string, Json>*> members;
  for (const auto& member : value.members) members.push_back(&member);
  if (sorted) std::sort(members.begin(), members.end(), [](auto* a, auto* b) { return a->first < b->first; });
  out += '{';
  for (size_t i = 0; i < members.size(); ++i) {
    if (i) out += ", ";
    dump_string(members[i]->first, out);
    out += ": ";
    dump_value(members[i]->second, sorted, out);
  }
  out += '}';
}

}  // namespace

const Json* Json::find(std::string_view key) const {
  for (const auto& member : members)
    if (member.first == key) return &member.second;
  return nullptr;
}

bool Json::to_int(int64_t& value) const {
  if (kind != Kind::kNumber || text.size() > 18 || text.find_first_of(".eE") != text.npos) return false;
  value = std::stoll(text);
  return true;
}

bool Json::to_double(double& value) const {
  if (kind != Kind::kNumber) return false;
  std::istringstream stream(text);
  stream.imbue(std::locale::classic());  // a program's locale may write numbers with a comma
  stream >> value;
  return !stream.fail() && std::isfinite(value);
}

std::string Json::dump(bool sorted) const {
  std::string out;
  dump_value(*this, sorted, out);
  return out;
}

std::string Json::brief() const {
  std::string out = dump(false);
  if (out.size() > kBrief) out = out.substr(0, kBrief) + "...";
  return out;
}

Json parse_json(std::string_view text) { return Parser(text).whole(); }
