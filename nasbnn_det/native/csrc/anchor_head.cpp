#include "anchor_head.h"

#include <algorithm>
#include <cmath>

#include "problem.h"

namespace {

constexpr size_t kMostAnchors = 64;         // around a point
const float kMostGrowth = float(-std::log(16. / 1000));  // of an anchor's side, as a power of e: MMDetection's limit

void read_four(const std::string& key, const Json& value, std::array<float, 4>& out) {
  const std::vector<float> numbers = read_reals(key, value, 4, 4);
  std::copy(numbers.begin(), numbers.end(), out.begin());
}

std::vector<Corners> read_level(const std::string& key, const Json& value) {
  std::vector<Corners> out;
  if (value.items.empty() || value.items.size() > kMostAnchors)
    throw Problem(key + " of a level are " + value.brief() + "; allowed are 1 to " + std::to_string(kMostAnchors));
  for (const Json& anchor : value.items) {
    const std::vector<float> c = read_reals(key, anchor, 4, 4);
    out.push_back({c[0], c[1], c[2], c[3]});
  }
  return out;
}

float bounded(float power) { return power > kMostGrowth ? kMostGrowth : power < -kMostGrowth ? -kMostGrowth : power; }

}  // namespace

AnchorHead::AnchorHead(const Json& network) {
  const auto read_anchors = [this](const std::string& key, const Json& value) {
    for (const Json& level : value.items) anchors_.push_back(read_level(key, level));
  };
  settings_ = read_settings(network, {
      {"anchors", read_anchors},
      {"means", [this](const std::string& key, const Json& value) { read_four(key, value, means_); }},
      {"stds", [this](const std::string& key, const Json& value) { read_four(key, value, stds_); }}});
  if (anchors_.size() != levels())
    throw Problem("the head needs 'anchors' of each of its " + std::to_string(levels()) + " levels");
}

int64_t AnchorHead::outputs(size_t branch, size_t level) const {
  return int64_t(anchors_[level].size()) * (branch == kBoxes ? 4 : logits_per_prior());
}

int64_t AnchorHead::priors(const LevelMaps& maps, size_t level) const {
  return maps.height * maps.width * int64_t(anchors_[level].size());
}

Corners AnchorHead::box(const Candidate& candidate, const LevelMaps& maps) const {
  const std::vector<Corners>& shapes = anchors_[size_t(candidate.level)];
  const int64_t prior = candidate.at / logits_per_prior(), point = prior / int64_t(shapes.size());
  const Corners& shape = shapes[size_t(prior) % shapes.size()];
  const float stride = float(settings_.strides[size_t(candidate.level)]);
  const float right = float(point % maps.width) * stride, down = float(point / maps.width) * stride;
  const Corners anchor{shape.x1 + right, shape.y1 + down, shape.x2 + right, shape.y2 + down};
  float delta[4];
  for (int i = 0; i < 4; ++i) delta[i] = maps.maps[kBoxes][4 * prior + i] * stds_[size_t(i)] + means_[size_t(i)];
  const float width = anchor.x2 - anchor.x1, height = anchor.y2 - anchor.y1;
  const float x = (anchor.x1 + anchor.x2) * 0.5f + width * delta[0], y = (anchor.y1 + anchor.y2) * 0.5f + height * delta[1];
  const float half_width = width * std::exp(bounded(delta[2])) * 0.5f;
  const float half_height = height * std::exp(bounded(delta[3])) * 0.5f;
  return {x - half_width, y - half_height, x + half_width, y + half_height};
}
