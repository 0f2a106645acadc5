#include "packed_file.h"

#include <sys/stat.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "problem.h"
#include "sha256.h"

namespace {

constexpr int64_t kVersion = 2;
constexpr char kKey[] = "nasbnn_det";

// The description without the sum itself, as Python writes it, then the tensors by name.
std::string checksum(const Json& header, const Safetensors& file) {
  Json rest = header;
  for (size_t i = 0; i < rest.members.size(); ++i)
    if (rest.members[i].first == "sha256") rest.members.erase(rest.members.begin() + int64_t(i--));
  Sha256 digest;
  const std::string text = rest.dump(true);
  digest.update(text.data(), text.size());
  for (const auto& [name, tensor] : file.tensors) {
    std::string shape;
    for (int64_t size : tensor.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    if (tensor.shape.size() == 1) shape += ",";
    const std::string title = name + " torch." + tensor.type + " (" + shape + ") ";
    digest.update(title.data(), title.size());
    digest.update(tensor.data, size_t(tensor.bytes));
  }
  return digest.hex();
}

std::map<std::string, StateTensor> read_state(const Safetensors& file) {
  const std::string prefix = "state.";
  std::map<std::string, StateTensor> out;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.compare(0, prefix.size(), prefix) || tensor.type != "float32") continue;
    StateTensor& state = out[name.substr(prefix.size())];
    state.shape = tensor.shape;
    state.values.resize(size_t(tensor.bytes) / sizeof(float));
    if (tensor.bytes) std::memcpy(state.values.data(), tensor.data, size_t(tensor.bytes));
  }
  return out;
}

}  // namespace

std::vector<uint8_t> read_file(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) || !S_ISREG(status.st_mode))
    throw Problem("packed file '" + path + "' does not exist", NASBNN_DET_NO_FILE);
  std::vector<uint8_t> data(size_t(status.st_size));
  std::FILE* file = std::fopen(path.c_str(), "rb");
  const bool whole = file && std::fread(data.data(), 1, data.size(), file) == data.size();
  if (file) std::fclose(file);
  if (!whole) throw Problem("packed file '" + path + "' can't be read");
  return data;
}

PackedFile read_packed(const uint8_t* data, size_t bytes, const DataName& name, bool check_sum) {
  Safetensors file;
  PackedFile out;
  try {
    file = read_safetensors(data, bytes);
    const auto found = file.metadata.find(kKey);
    if (found == file.metadata.end()) throw std::invalid_argument("its metadata have no key nasbnn_det");
    out.header = parse_json(found->second);
  } catch (const std::invalid_argument& error) {
    throw Problem(name.plain + " is no packed file, or is cut off (" + error.what() + ")");
  }
  if (!out.header.is(Json::Kind::kObject)) throw Problem(name.plain + " is no packed file: its description is no JSON object");
  const Json* version = out.header.find("version");
  int64_t number;
  if (!version || !version->to_int(number) || number != kVersion)
    throw Problem(name.packed + " has format version " + (version ? version->brief() : "null") +
                  "; this release reads version " + std::to_string(kVersion));
  const Json* sum = out.header.find("sha256");
  if (check_sum && (!sum || sum->text != checksum(out.header, file)))
    throw Problem(name.packed + " is damaged: its checksum is wrong");
  try {
    out.chains = read_chains(out.header, file.tensors);
    out.state = read_state(file);
  } catch (const Problem& error) {
    throw Problem(name.packed + " contradicts itself: " + error.what());
  }
  return out;
}
