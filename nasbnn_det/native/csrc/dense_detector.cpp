#include "dense_detector.h"

#include "problem.h"

DenseDetector::DenseDetector(std::map<std::string, PackedChain> chains, const Json& network)
    : chains_(std::move(chains)), head_(Head::make(network)) {
  const size_t extra = extra_levels(chains_);
  if (extra >= head_->levels())
    throw Problem("it has " + std::to_string(head_->levels()) + " levels, and chains of " + std::to_string(extra) +
                  " above the backbone's");
  std::vector<int64_t> channels;
  backbone_ = chains_.take_backbone(head_->levels() - extra, channels);
  neck_ = Neck::make(head_->settings().neck, chains_, channels);
  levels_.resize(channels.size());
  for (size_t level = 0; level < channels.size(); ++level) wire_level(level, channels[level]);
  chains_.finish();
}

// Towers and predictors in one call: a tower's last map is never written unless a second predictor reads it.
void DenseDetector::wire_level(size_t level, int64_t channels) {
  const auto branches = head_->branches();
  std::vector<Part>& parts = levels_[level];
  std::map<std::string, size_t> known;  // parts by the name of their tower
  for (size_t branch = 0; branch < branches.size(); ++branch) {
    const std::string tower = branches[branch].towers + "." + std::to_string(level);
    if (const auto found = known.find(tower); found != known.end()) {
      parts[found->second].branches.push_back(branch);
      continue;
    }
    parts.push_back({{branch}, {}, {}});
    if (branches[branch].towers.empty() || !chains_.has(tower)) continue;
    known[tower] = parts.size() - 1;
    parts.back().first = chains_.take(tower, channels);
  }
  for (Part& part : parts) {
    Line& line = part.first;
    const int64_t inputs = line.layers.empty() ? channels : line.channels();
    const Line first = predictor(part.branches[0], level, inputs);
    if (line.layers.empty()) line = first;
    else line.append(first, part.branches.size() > 1);
    for (size_t i = 1; i < part.branches.size(); ++i) part.others.push_back(predictor(part.branches[i], level, inputs));
  }
}

Line DenseDetector::predictor(size_t branch, size_t level, int64_t inputs) {
  const Head::Branch described = head_->branches()[branch];
  const int64_t outputs = head_->outputs(branch, level);
  if (described.per_level) return chains_.take(described.predictor + "." + std::to_string(level), inputs, outputs);
  if (!shared_.count(described.predictor)) shared_[described.predictor] = chains_.take(described.predictor, inputs, outputs);
  const Line& line = shared_.at(described.predictor);
  if (line.layers.front().in_channels != inputs || line.channels() != outputs)
    throw Problem("chain " + described.predictor + " must take " + std::to_string(inputs) + " channels on level " +
                  std::to_string(level) + " and give " + std::to_string(outputs));
  return line;
}

std::vector<LevelMaps> DenseDetector::forward(const float* planes, int64_t height, int64_t width, const Run& run) const {
  const std::vector<Map> maps = neck_->forward(run_image(backbone_, planes, height, width, run), run);
  std::vector<LevelMaps> out;
  for (size_t level = 0; level < maps.size(); ++level) {
    LevelMaps found{0, 0, {}};
    const auto add = [&](size_t branch, const Map& map) {
      if (found.height && (map.height != found.height || map.width != found.width))
        throw Problem("the head's maps of level " + std::to_string(level) + " have different sizes");
      found.height = map.height;
      found.width = map.width;
      found.maps[branch] = map.data;
    };
    for (const Part& part : levels_[level]) {
      const std::vector<Map> given = run_line(part.first, maps[level], run);
      add(part.branches[0], given.back());
      for (size_t i = 0; i < part.others.size(); ++i) add(part.branches[i + 1], run_map(part.others[i], given.front(), run));
    }
    out.push_back(found);
  }
  return out;
}
