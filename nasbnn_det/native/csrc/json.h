// JSON of strangers as a tree: strict, of limited depth. Numbers are kept as they are written.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

class Json {
 public:
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool truth = false;
  std::string text;  // a number as it is written, or a string in UTF-8 (a lone surrogate in its three bytes)
  std::vector<Json> items;
  std::vector<std::pair<std::string, Json>> members;

  bool is(Kind wanted) const { return kind == wanted; }
  const Json* find(std::string_view key) const;  // null where there is none, or this is no object
  bool to_int(int64_t& value) const;             // false where it is no whole number written as one, or too large
  bool to_double(double& value) const;           // false where it is no number, or too large
  // As Python's json.dumps writes it: ", " and ": " between parts, keys in order if they are to be sorted, ASCII alone.
  std::string dump(bool sorted) const;
  std::string brief() const;  // the same for a sentence: cut where it is long
};

// Throws std::invalid_argument with what is wrong.
Json parse_json(std::string_view text);
