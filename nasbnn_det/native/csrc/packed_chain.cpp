#include "packed_chain.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "problem.h"

namespace {

constexpr int64_t kMostValues = 1 << 28;  // of all layers

// Takes the layers' numbers out of a chain's two tensors, in order.
class Reader {
 public:
  Reader(const std::string& name, const StoredTensor& weights, const StoredTensor& numbers)
      : name_(name), weights_{weights.data, weights.bytes}, numbers_{numbers.data, numbers.bytes / 4} {
    if (weights.type != "uint8" || numbers.type != "float32" || weights.shape.size() != 1 || numbers.shape.size() != 1)
      throw Problem("chain " + name + " needs uint8 weights and float32 numbers, flat");
  }

  std::vector<float> numbers(int64_t count) {
    const uint8_t* from = take(numbers_, count, 4, "numbers");
    std::vector<float> out(count);
    std::memcpy(out.data(), from, 4 * count);
    return out;
  }
  const uint8_t* weights(int64_t bytes) { return take(weights_, bytes, 1, "weights"); }

  void finish() const {
    if (weights_.left) throw Problem("chain " + name_ + " has " + std::to_string(weights_.left) + " weights too many");
    if (numbers_.left) throw Problem("chain " + name_ + " has " + std::to_string(numbers_.left) + " numbers too many");
  }

 private:
  struct Part {
    const uint8_t* at;
    int64_t left;
  };
  const uint8_t* take(Part& part, int64_t count, int64_t size, const char* kind) const {
    if (count > part.left) throw Problem("chain " + name_ + " has too few " + kind);
    const uint8_t* from = part.at;
    part.at += count * size;
    part.left -= count;
    return from;
  }

  std::string name_;
  Part weights_, numbers_;
};

// The tile and the lane within it of output channel o.
struct Place {
  int64_t tile, lane;
  Place(const LayerSpec& s, int64_t o)
      : tile(o / s.out_per_group() * s.tiles() + o % s.out_per_group() / kTile), lane(o % s.out_per_group() % kTile) {}
};

std::vector<float> tile_channels(const LayerSpec& s, const std::vector<float>& values) {
  std::vector<float> out(s.tiled_channels());
  for (int64_t o = 0; o < s.out_channels; ++o) {
    const Place at(s, o);
    out[at.tile * kTile + at.lane] = values[o];
  }
  return out;
}

// Ones per kernel position, summed over the first rows and columns; index 0 is the empty sum.
void count_positions(const LayerSpec& s, WeightTiles& tiles) {
  const int64_t channels = s.tiled_channels(), columns = s.kernel[1] + 1, words = s.words();
  tiles.position_counts.resize((s.kernel[0] + 1) * columns * channels);
  const auto sum = [&](int64_t y, int64_t x) { return tiles.position_counts.data() + (y * columns + x) * channels; };
  for (int64_t y = 1; y <= s.kernel[0]; ++y)
    for (int64_t x = 1; x < columns; ++x)
      for (int64_t c = 0; c < channels; ++c) {
        int32_t ones = 0;
        const int64_t position = (y - 1) * s.kernel[1] + x - 1;
        for (int64_t w = 0; w < words; ++w)
          ones += __builtin_popcount(tiles.bits[((c / kTile * s.positions() + position) * words + w) * kTile + c % kTile]);
        sum(y, x)[c] = ones + sum(y - 1, x)[c] + sum(y, x - 1)[c] - sum(y - 1, x - 1)[c];
      }
}

// A kernel position's bits begin with a byte: (out channels, kernel height, kernel width, bytes).
void tile_bits(const LayerSpec& s, const uint8_t* from, const std::string& chain, WeightTiles& tiles) {
  const int64_t width = (s.in_per_group() + 7) / 8, words = s.words();
  tiles.bits.resize(s.tiled_values());
  for (int64_t o = 0; o < s.out_channels; ++o) {
    const Place at(s, o);
    for (int64_t position = 0; position < s.positions(); ++position, from += width) {
      if (s.in_per_group() % 8 && from[width - 1] >> s.in_per_group() % 8)
        throw Problem("chain " + chain + " has weights for channels that do not exist");
      for (int64_t b = 0; b < width; ++b)
        tiles.bits[(at.tile * s.row() + position * words + b / 4) * kTile + at.lane] |= uint32_t(from[b]) << 8 * (b % 4);
    }
  }
  if (s.counts_positions()) count_positions(s, tiles);
}

void tile_reals(const LayerSpec& s, const uint8_t* from, const std::vector<float>& step, WeightTiles& tiles) {
  tiles.reals.resize(s.tiled_values());
  const bool bytes = s.weight == LayerSpec::Weight::kInt8;
  for (int64_t o = 0; o < s.out_channels; ++o) {
    const Place at(s, o);
    for (int64_t i = 0; i < s.row(); ++i, from += bytes ? 1 : 4) {
      float value;
      if (bytes) value = float(int8_t(*from)) * step[o];
      else std::memcpy(&value, from, 4);
      tiles.reals[(at.tile * s.row() + i) * kTile + at.lane] = value;
    }
  }
}

std::shared_ptr<const WeightTiles> read_weight(Reader& reader, const LayerSpec& s, const std::vector<float>& step,
                                               const std::string& chain) {
  auto tiles = std::make_shared<WeightTiles>();
  tiles->spec = s;
  const int64_t rows = s.out_channels * s.positions();
  if (s.binary()) tile_bits(s, reader.weights(rows * ((s.in_per_group() + 7) / 8)), chain, *tiles);
  else tile_reals(s, reader.weights(rows * s.in_per_group() * (s.weight == LayerSpec::Weight::kInt8 ? 1 : 4)), step, *tiles);
  return tiles;
}

using Owners = std::map<std::string, std::shared_ptr<const WeightTiles>>;

PackedLayer read_layer(Reader& reader, const Json& entry, const LayerSpec& s, const std::string& chain, size_t index,
                       Owners& owners) {
  PackedLayer layer{s, nullptr, {}, {}, {}, {}, {}};
  if (s.binary()) layer.sign_shift = reader.numbers(s.in_channels);
  layer.scale = tile_channels(s, reader.numbers(s.out_channels));
  layer.shift = tile_channels(s, reader.numbers(s.out_channels));
  if (s.activation) {
    layer.slope = tile_channels(s, reader.numbers(s.out_channels));
    layer.bias_out = tile_channels(s, reader.numbers(s.out_channels));
  }
  std::vector<float> step;
  if (s.weight == LayerSpec::Weight::kInt8) step = reader.numbers(s.out_channels);
  const Json* shared = entry.find("weight_of");
  if (!shared) {
    layer.weight = owners[chain + ":" + std::to_string(index)] = read_weight(reader, s, step, chain);
    return layer;
  }
  const auto owner = owners.find(shared->is(Json::Kind::kString) ? shared->text : "");
  if (owner == owners.end() || !owner->second->spec.same_weight(s))
    throw Problem("layer " + std::to_string(index) + " of chain " + chain + " shares the weight of " + shared->brief() +
                  ", which is no such weight");
  layer.weight = owner->second;
  return layer;
}

// After which layers an output is taken.
void read_outputs(const Json& outputs, const std::string& name, PackedChain& chain) {
  chain.lists_outputs = !outputs.is(Json::Kind::kNull);
  if (!chain.lists_outputs) {
    chain.outputs = {int(chain.layers.size()) - 1};
    return;
  }
  int64_t before = -1;
  for (const Json& item : outputs.items) {
    int64_t layer;
    if (!item.to_int(layer) || layer <= before || layer >= int64_t(chain.layers.size())) break;
    chain.outputs.push_back(int(before = layer));
  }
  if (outputs.items.empty() || chain.outputs.size() != outputs.items.size())
    throw Problem("outputs of chain " + name + " are " + outputs.brief() + "; allowed are null and a list of ascending "
                  "indices of the " + std::to_string(chain.layers.size()) + " layers");
  chain.layers.resize(chain.outputs.back() + 1);
}

void check_neighbours(const std::vector<PackedLayer>& layers) {
  for (size_t i = 0; i + 1 < layers.size(); ++i)
    if (layers[i].spec.out_channels != layers[i + 1].spec.in_channels)
      throw Problem("layer " + std::to_string(i) + " has " + std::to_string(layers[i].spec.out_channels) +
                    " output channels, layer " + std::to_string(i + 1) + " takes " +
                    std::to_string(layers[i + 1].spec.in_channels));
}

using Specs = std::vector<std::vector<LayerSpec>>;

// Every layer of every chain, before anything is taken in memory for one.
Specs read_specs(const Json& described) {
  Specs out;
  int64_t values = 0;
  for (const auto& [name, chain] : described.members) {
    const Json *layers = chain.find("layers"), *outputs = chain.find("outputs");
    if (!layers || !layers->is(Json::Kind::kArray) || !outputs || chain.members.size() != 2)
      throw Problem("chain " + name + " needs a list of layers and outputs");
    if (layers->items.empty()) throw Problem("a packed chain needs at least one layer");
    out.emplace_back();
    for (const Json& entry : layers->items) {
      out.back().push_back(LayerSpec::read(entry));
      values += out.back().back().tiled_values() + 4 * out.back().back().tiled_channels();
    }
  }
  if (values > kMostValues)
    throw Problem("its layers are larger than " + std::to_string(kMostValues) + " values in all");
  return out;
}

void check_names(const Json& described, const std::map<std::string, StoredTensor>& tensors) {
  std::set<std::string> differ;
  for (const auto& tensor : tensors)
    if (tensor.first.compare(0, 6, "state.")) differ.insert(tensor.first);
  for (const auto& member : described.members)
    for (const char* part : {".weights", ".numbers"}) {
      const std::string name = member.first + part;
      if (!differ.erase(name)) differ.insert(name);
    }
  if (!differ.empty()) throw Problem("tensors and description differ, such as in " + *differ.begin());
}

}  // namespace

NbLayer PackedLayer::described(int output) const {
  const auto data = [](const auto& values) { return values.empty() ? nullptr : values.data(); };
  const void* weights = spec.binary() ? static_cast<const void*>(weight->bits.data()) : weight->reals.data();
  return {spec.binary(), int(spec.in_channels), int(spec.out_channels), int(spec.groups), int(spec.kernel[0]),
          int(spec.kernel[1]), int(spec.stride[0]), int(spec.stride[1]), int(spec.padding[0]), int(spec.padding[1]),
          int(spec.dilation[0]), int(spec.dilation[1]), spec.shortcut, output, weights, data(weight->position_counts),
          data(sign_shift), data(scale), data(shift), data(slope), data(bias_out)};
}

std::map<std::string, PackedChain> read_chains(const Json& header, const std::map<std::string, StoredTensor>& tensors) {
  const Json* described = header.find("chains");
  if (!described || described->members.empty()) throw Problem("it describes no chains");
  const Specs specs = read_specs(*described);
  check_names(*described, tensors);
  std::map<std::string, PackedChain> chains;
  Owners owners;
  for (size_t c = 0; c < specs.size(); ++c) {
    const auto& [name, entry] = described->members[c];
    Reader reader(name, tensors.at(name + ".weights"), tensors.at(name + ".numbers"));
    PackedChain chain;
    for (size_t i = 0; i < specs[c].size(); ++i)
      chain.layers.push_back(read_layer(reader, entry.find("layers")->items[i], specs[c][i], name, i, owners));
    reader.finish();
    check_neighbours(chain.layers);
    read_outputs(*entry.find("outputs"), name, chain);
    chains[name] = std::move(chain);
  }
  return chains;
}

PackedChain linear_chain(int64_t inputs, int64_t outputs, const std::vector<float>& weights, const std::vector<float>& bias) {
  LayerSpec spec;
  spec.weight = LayerSpec::Weight::kFloat;
  spec.in_channels = inputs;
  spec.out_channels = outputs;
  auto tiles = std::make_shared<WeightTiles>();
  tiles->spec = spec;
  tile_reals(spec, reinterpret_cast<const uint8_t*>(weights.data()), {}, *tiles);
  const std::vector<float> ones(size_t(outputs), 1);
  return {{{spec, std::move(tiles), {}, tile_channels(spec, ones), tile_channels(spec, bias), {}, {}}}, {0}, false};
}
