#include "wiring.h"

#include <algorithm>
#include <cmath>

#include "problem.h"

namespace {

Line line_of(const PackedChain& chain) {
  Line line;
  for (size_t i = 0; i < chain.layers.size(); ++i) {
    const auto found = std::find(chain.outputs.begin(), chain.outputs.end(), int(i));
    line.layers.push_back(chain.layers[i].described(found == chain.outputs.end() ? -1 : int(found - chain.outputs.begin())));
  }
  return line;
}

}  // namespace

void Line::append(const Line& other, bool keep_last) {
  layers.back().output = keep_last ? 0 : -1;
  layers.insert(layers.end(), other.layers.begin(), other.layers.end());
  layers.back().output = keep_last;
}

const PackedChain& Chains::use(const std::string& name) {
  auto node = left_.extract(name);
  if (!node) throw Problem("it needs a chain " + name);
  used_.insert(std::move(node));
  return used_.at(name);
}

Line Chains::take(const std::string& name, int64_t inputs, int64_t outputs) {
  const PackedChain& chain = use(name);
  if (chain.lists_outputs || chain.layers.front().spec.in_channels != inputs)
    throw Problem("chain " + name + " must take " + std::to_string(inputs) + " channels and have one output");
  if (outputs && chain.layers.back().spec.out_channels != outputs)
    throw Problem("chain " + name + " has another number of outputs than " + std::to_string(outputs));
  return line_of(chain);
}

std::vector<Line> Chains::take_all(const std::string& prefix, const std::vector<int64_t>& inputs, int64_t outputs) {
  std::vector<Line> lines;
  for (size_t i = 0; i < inputs.size(); ++i) lines.push_back(take(prefix + "." + std::to_string(i), inputs[i], outputs));
  return lines;
}

Line Chains::take_backbone(size_t wanted, std::vector<int64_t>& outputs) {
  const auto found = left_.find("backbone");
  if (wanted && (found == left_.end() || !found->second.lists_outputs || found->second.outputs.size() != wanted))
    throw Problem("it needs a chain backbone with " + std::to_string(wanted) + " outputs");
  const PackedChain& chain = use("backbone");
  if (chain.layers.front().spec.in_channels != 3) throw Problem("chain backbone must take 3 channels");
  outputs.clear();
  for (int output : chain.outputs) outputs.push_back(chain.layers[size_t(output)].spec.out_channels);
  return line_of(chain);
}

void Chains::finish() const {
  if (!left_.empty()) throw Problem("it has no place for chain " + left_.begin()->first);
}

std::vector<Map> map_sizes(const Line& line, int64_t height, int64_t width) {
  std::vector<Map> maps;
  for (const NbLayer& layer : line.layers) {
    advance(layer, height, width);
    if (layer.output >= 0) maps.push_back({nullptr, height, width, layer.out_channels});
  }
  return maps;
}

namespace {

std::vector<Map> run_input(const Line& line, const NbInput& input, const Run& run) {
  std::vector<Map> maps = map_sizes(line, input.height, input.width);
  std::vector<float*> outputs;
  for (Map& map : maps) outputs.push_back(map.data = run.space.network.take<float>(map.values()));
  run_chain(line.layers.data(), int(line.layers.size()), input, outputs.data(), {nullptr, nullptr}, run.workers, run.isa,
            run.space);
  return maps;
}

}  // namespace

std::vector<Map> run_line(const Line& line, const Map& in, const Run& run) {
  const int64_t row = in.width * in.channels;
  return run_input(line, {in.data, 1, in.channels, in.height, in.width, in.height * row, 1, row, in.channels}, run);
}

Map run_map(const Line& line, const Map& in, const Run& run) { return run_line(line, in, run)[0]; }

std::vector<Map> run_image(const Line& line, const float* planes, int64_t height, int64_t width, const Run& run) {
  const int64_t area = height * width;
  return run_input(line, {planes, 1, 3, height, width, 3 * area, area, width, 1}, run);
}

void add_enlarged(const Map& above, Map& onto) {
  const auto nearest = [](int64_t i, int64_t from, int64_t to) {
    return std::min(int64_t(std::floor(float(i) * (float(from) / float(to)))), from - 1);
  };
  for (int64_t y = 0; y < onto.height; ++y)
    for (int64_t x = 0; x < onto.width; ++x) {
      const int64_t pixel = nearest(y, above.height, onto.height) * above.width + nearest(x, above.width, onto.width);
      const float* from = above.data + pixel * above.channels;
      float* out = onto.data + (y * onto.width + x) * onto.channels;
      for (int64_t c = 0; c < onto.channels; ++c) out[c] += from[c];
    }
}
