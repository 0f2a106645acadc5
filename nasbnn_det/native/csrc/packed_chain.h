// Chains of a packed file, laid out for the kernels.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "layer_spec.h"
#include "safetensors.h"

// What a layer's weight becomes; layers may share it.
struct WeightTiles {
  LayerSpec spec;
  std::vector<uint32_t> bits;
  std::vector<float> reals;
  std::vector<int32_t> position_counts;
};

struct PackedLayer {
  LayerSpec spec;
  std::shared_ptr<const WeightTiles> weight;
  std::vector<float> sign_shift, scale, shift, slope, bias_out;  // tiled but for the first

  NbLayer described(int output) const;  // for the kernels; it points into this layer
};

struct PackedChain {
  std::vector<PackedLayer> layers;
  std::vector<int> outputs;  // after which layers an output is taken
  bool lists_outputs;        // false: the last layer's alone
};

// Reads the chains that a packed file's header describes under `chains`; throws Problem where they contradict the tensors.
std::map<std::string, PackedChain> read_chains(const Json& header, const std::map<std::string, StoredTensor>& tensors);

// A layer of 1 x 1 pixels: weights [outputs][inputs] of floats, one after another, and a bias for each output.
PackedChain linear_chain(int64_t inputs, int64_t outputs, const std::vector<float>& weights, const std::vector<float>& bias);
