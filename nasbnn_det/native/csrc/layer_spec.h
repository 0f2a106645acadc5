// What a packed file may say of a layer, apart from its numbers: the C++ side of runtime/spec.py, with the same limits.
#pragma once
#include <cstdint>

#include "json.h"
#include "kernels.h"

struct LayerSpec {
  enum class Weight { kBinary, kInt8, kFloat };

  Weight weight = Weight::kBinary;
  int64_t in_channels = 0, out_channels = 0, groups = 1;
  int64_t kernel[2] = {1, 1}, stride[2] = {1, 1}, padding[2] = {0, 0}, dilation[2] = {1, 1};  // height, width
  bool shortcut = false, activation = false;

  // Throws Problem if the description is none of a layer.
  static LayerSpec read(const Json& entry);

  bool binary() const { return weight == Weight::kBinary; }
  int64_t in_per_group() const { return in_channels / groups; }
  int64_t out_per_group() const { return out_channels / groups; }
  int64_t positions() const { return kernel[0] * kernel[1]; }
  int64_t words() const { return (in_per_group() + 31) / 32; }
  int64_t tiles() const { return (out_per_group() + kTile - 1) / kTile; }
  int64_t tiled_channels() const { return groups * tiles() * kTile; }
  int64_t row() const { return positions() * (binary() ? words() : in_per_group()); }  // values of an output channel
  int64_t tiled_values() const { return tiled_channels() * row(); }
  bool counts_positions() const { return binary() && !(positions() == 1 && padding[0] == 0 && padding[1] == 0); }
  bool same_weight(const LayerSpec& other) const;
};

// Values of a map at most; of a network's input too.
constexpr int64_t kMostMapValues = int64_t(1) << 29;

// Height and width behind a layer; throws Problem if the input is too small for it, or the output too large.
void advance(const NbLayer& layer, int64_t& height, int64_t& width);
