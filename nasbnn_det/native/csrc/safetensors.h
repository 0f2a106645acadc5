// A safetensors file in memory: what tensors it holds, and where. Nothing is copied.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "json.h"

struct StoredTensor {
  std::string type;  // as PyTorch names it: "float32"
  std::vector<int64_t> shape;
  const uint8_t* data;  // of any alignment
  int64_t bytes;
};

struct Safetensors {
  std::map<std::string, StoredTensor> tensors;  // by name, in order
  std::map<std::string, std::string> metadata;
};

// Throws std::invalid_argument with what is wrong: sizes must be those of the shapes, and the tensors must fill the file.
Safetensors read_safetensors(const uint8_t* data, size_t bytes);
