#include "rtmdet.h"

#include <algorithm>
#include <cmath>

#include "problem.h"

RtmDet::Line RtmDet::line_of(const PackedChain& chain) {
  Line line;
  line.outputs = int(chain.outputs.size());
  for (size_t i = 0; i < chain.layers.size(); ++i) {
    const auto found = std::find(chain.outputs.begin(), chain.outputs.end(), int(i));
    line.layers.push_back(chain.layers[i].described(found == chain.outputs.end() ? -1 : int(found - chain.outputs.begin())));
  }
  return line;
}

// The chains PREFIX.0, PREFIX.1, ..., which must take these channels, and give so many where it is said.
std::vector<RtmDet::Line> RtmDet::take(const std::string& prefix, size_t count, const std::vector<int64_t>& inputs,
                                       int64_t outputs) {
  std::vector<Line> lines;
  for (size_t i = 0; i < count; ++i) {
    const std::string name = prefix + "." + std::to_string(i);
    auto node = chains_.extract(name);
    if (!node) throw Problem("the detector needs a chain " + name);
    const PackedChain& chain = node.mapped();
    if (chain.lists_outputs || chain.layers.front().spec.in_channels != inputs[i])
      throw Problem("chain " + name + " must take " + std::to_string(inputs[i]) + " channels and have one output");
    if (outputs && chain.layers.back().spec.out_channels != outputs)
      throw Problem("chain " + name + " has another number of outputs than " + std::to_string(outputs));
    used_.insert(std::move(node));
    lines.push_back(line_of(used_.at(name)));
  }
  return lines;
}

RtmDet::RtmDet(std::map<std::string, PackedChain> chains, const Json& network)
    : chains_(std::move(chains)), settings_(HeadSettings::read(network)) {
  const size_t levels = settings_.strides.size();
  auto node = chains_.extract("backbone");
  if (!node || !node.mapped().lists_outputs || node.mapped().outputs.size() != levels)
    throw Problem("the detector needs a chain backbone with " + std::to_string(levels) + " outputs");
  if (node.mapped().layers.front().spec.in_channels != 3) throw Problem("chain backbone must take 3 channels");
  std::vector<int64_t> channels;
  for (int output : node.mapped().outputs) channels.push_back(node.mapped().layers[size_t(output)].spec.out_channels);
  used_.insert(std::move(node));
  backbone_ = line_of(used_.at("backbone"));
  const auto first = chains_.find("neck.laterals.0");
  const int64_t width = first == chains_.end() ? 0 : first->second.layers.back().spec.out_channels;
  const std::vector<int64_t> widths(levels, width);
  laterals_ = take("neck.laterals", levels, channels, width);
  top_down_ = take("neck.top_down", levels - 1, widths, width);
  downsamples_ = take("neck.downsamples", levels - 1, widths, width);
  bottom_up_ = take("neck.bottom_up", levels - 1, widths, width);
  // Towers and predictors in one call: a tower's last map is never written.
  for (auto [branch, name, outputs] : {std::tuple(&classes_, "cls", settings_.num_classes), std::tuple(&boxes_, "reg", int64_t(4))}) {
    *branch = take(std::string("bbox_head.") + name + "_towers", levels, widths);
    std::vector<int64_t> inputs;
    for (const Line& tower : *branch) inputs.push_back(tower.layers.back().out_channels);
    const std::vector<Line> predictors = take(std::string("bbox_head.rtm_") + name, levels, inputs, outputs);
    for (size_t i = 0; i < levels; ++i) {
      auto& layers = (*branch)[i].layers;
      layers.back().output = -1;
      layers.insert(layers.end(), predictors[i].layers.begin(), predictors[i].layers.end());
    }
  }
  if (!chains_.empty()) throw Problem("the detector has no place for chain " + chains_.begin()->first);
}

std::vector<RtmDet::Map> RtmDet::run_line(const Line& line, const NbInput& input, const Run& run) const {
  std::vector<Map> maps;
  std::vector<float*> outputs;
  int64_t height = input.height, width = input.width;
  for (const NbLayer& layer : line.layers) {
    advance(layer, height, width);
    if (layer.output < 0) continue;
    maps.push_back({nullptr, height, width, layer.out_channels});
  }
  for (Map& map : maps) outputs.push_back(map.data = run.space.network.take<float>(map.values()));
  run_chain(line.layers.data(), int(line.layers.size()), input, outputs.data(), {nullptr, nullptr}, run.workers, run.isa,
            run.space);
  return maps;
}

RtmDet::Map RtmDet::run_map(const Line& line, const Map& in, const Run& run) const {
  const int64_t row = in.width * in.channels;
  return run_line(line, {in.data, 1, in.channels, in.height, in.width, in.height * row, 1, row, in.channels}, run)[0];
}

// Adds a map, enlarged to the size of the other by its nearest pixels, as PyTorch's interpolate chooses them.
void RtmDet::add_enlarged(const Map& above, Map& onto) {
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

std::vector<LevelMaps> RtmDet::forward(const float* planes, int64_t height, int64_t width, const Run& run) const {
  const int64_t area = height * width;
  std::vector<Map> maps = run_line(backbone_, {planes, 1, 3, height, width, 3 * area, area, width, 1}, run);
  const size_t levels = maps.size();
  for (size_t i = 0; i < levels; ++i) maps[i] = run_map(laterals_[i], maps[i], run);
  for (size_t i = levels - 1; i-- > 0;) {
    add_enlarged(maps[i + 1], maps[i]);
    maps[i] = run_map(top_down_[i], maps[i], run);
  }
  for (size_t i = 0; i + 1 < levels; ++i) {
    const Map below = run_map(downsamples_[i], maps[i], run);
    if (below.height != maps[i + 1].height || below.width != maps[i + 1].width)
      throw Problem("the neck's maps of level " + std::to_string(i) + " and " + std::to_string(i + 1) + " do not meet: " +
                    std::to_string(below.height) + " x " + std::to_string(below.width) + " and " +
                    std::to_string(maps[i + 1].height) + " x " + std::to_string(maps[i + 1].width) + " pixels");
    for (int64_t j = 0; j < below.values(); ++j) maps[i + 1].data[j] += below.data[j];
    maps[i + 1] = run_map(bottom_up_[i], maps[i + 1], run);
  }
  std::vector<LevelMaps> out;
  for (size_t i = 0; i < levels; ++i) {
    const Map logits = run_map(classes_[i], maps[i], run), distances = run_map(boxes_[i], maps[i], run);
    if (logits.height != distances.height || logits.width != distances.width)
      throw Problem("the head's two maps of level " + std::to_string(i) + " have different sizes");
    out.push_back({logits.height, logits.width, logits.data, distances.data});
  }
  return out;
}
