// A packed file: its chains and what it says of itself; the C++ side of runtime/file.py.
#pragma once
#include "packed_chain.h"

// A tensor of float32 beside the chains.
struct StateTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct PackedFile {
  std::map<std::string, PackedChain> chains;
  std::map<std::string, StateTensor> state;  // by its name in the model; those of other types are left out
  Json header;
};

// How sentences call the data.
struct DataName {
  std::string plain, packed;
};

// Reads a packed file of whatever origin, every size checked against the description before memory is taken. Nothing of
// `data` is needed afterwards. Throws Problem.
PackedFile read_packed(const uint8_t* data, size_t bytes, const DataName& name, bool check_sum);

// A whole file; throws Problem if there is none or it can't be read.
std::vector<uint8_t> read_file(const std::string& path);
