#include "safetensors.h"

#include <algorithm>
#include <stdexcept>

namespace {

struct Type {
  const char *stored, *name;
  int64_t bytes;
};

const Type kTypes[] = {{"F32", "float32", 4}, {"U8", "uint8", 1}, {"I64", "int64", 8}, {"I32", "int32", 4},
                       {"I16", "int16", 2}, {"I8", "int8", 1}, {"BOOL", "bool", 1}, {"F64", "float64", 8},
                       {"F16", "float16", 2}, {"BF16", "bfloat16", 2}, {"U16", "uint16", 2}, {"U32", "uint32", 4},
                       {"U64", "uint64", 8}, {"F8_E4M3", "float8_e4m3fn", 1}, {"F8_E5M2", "float8_e5m2", 1}};

// Of a header, which as a tree takes some fifty times as much.
constexpr uint64_t kMostHeader = 1 << 22;

[[noreturn]] void fail(const std::string& what) { throw std::invalid_argument(what); }

// A list of integers of 0 or more.
std::vector<int64_t> sizes_of(const Json* list, const std::string& name) {
  std::vector<int64_t> out;
  if (!list || !list->is(Json::Kind::kArray)) fail("tensor " + name + " lacks a list");
  for (const Json& item : list->items) {
    int64_t value;
    if (!item.to_int(value) || value < 0) fail("tensor " + name + " has the size " + item.brief());
    out.push_back(value);
  }
  return out;
}

StoredTensor read_tensor(const std::string& name, const Json& entry, const uint8_t* data, int64_t room) {
  const Json* stored = entry.find("dtype");
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const Type& t) { return stored && stored->text == t.stored; });
  if (type == std::end(kTypes)) fail("tensor " + name + " is of an unknown type");
  StoredTensor out{type->name, sizes_of(entry.find("shape"), name), nullptr, type->bytes};
  for (int64_t size : out.shape)
    if (__builtin_mul_overflow(out.bytes, size, &out.bytes)) fail("tensor " + name + " is too large");
  const std::vector<int64_t> offsets = sizes_of(entry.find("data_offsets"), name);
  if (offsets.size() != 2 || offsets[1] > room || offsets[0] > offsets[1] || offsets[1] - offsets[0] != out.bytes)
    fail("tensor " + name + " does not lie where it should");
  out.data = data + offsets[0];
  return out;
}

}  // namespace

Safetensors read_safetensors(const uint8_t* data, size_t bytes) {
  uint64_t length = 0;
  if (bytes < 8) fail("it is shorter than a header");
  for (int i = 0; i < 8; ++i) length |= uint64_t(data[i]) << 8 * i;
  if (length > bytes - 8) fail("its header is longer than the file");
  if (length > kMostHeader) fail("its header is longer than " + std::to_string(kMostHeader) + " bytes");
  const Json header = parse_json({reinterpret_cast<const char*>(data) + 8, size_t(length)});
  if (!header.is(Json::Kind::kObject)) fail("its header is no object");
  const uint8_t* begin = data + 8 + length;
  const int64_t room = int64_t(bytes - 8 - length);
  Safetensors out;
  std::vector<const StoredTensor*> order;
  for (const auto& [name, entry] : header.members) {
    if (name != "__metadata__") {
      order.push_back(&(out.tensors[name] = read_tensor(name, entry, begin, room)));
      continue;
    }
    for (const auto& [key, value] : entry.members) {
      if (!value.is(Json::Kind::kString)) fail("its metadata are no texts");
      out.metadata[key] = value.text;
    }
  }
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) {
    return a->data != b->data ? a->data < b->data : a->bytes < b->bytes;
  });
  const uint8_t* end = begin;
  for (const StoredTensor* tensor : order) {
    if (tensor->data != end) fail("its tensors overlap or leave gaps");
    end += tensor->bytes;
  }
  if (end != begin + room) fail("it is longer or shorter than its tensors");
  return out;
}
