#include "decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "problem.h"
#include "suppress.h"

namespace {

void read_int(const std::string& name, const Json& value, int64_t low, int64_t high, int64_t& out) {
  if (!value.to_int(out) || out < low || out > high)
    throw Problem(name + " is " + value.brief() + "; allowed are integers from " + std::to_string(low) + " to " +
                  std::to_string(high));
}

void read_real(const std::string& name, const Json& value, double& out) {
  if (!value.to_double(out) || std::fabs(out) >= 1e6)
    throw Problem(name + " is " + value.brief() + "; a finite number is wanted");
}

void read_strides(const Json& value, std::vector<int64_t>& out) {
  for (const Json& item : value.items) {
    int64_t stride;
    if (!item.to_int(stride) || stride < 1 || stride > 1024) break;
    out.push_back(stride);
  }
  if (out.empty() || out.size() > 8 || out.size() != value.items.size())
    throw Problem("strides are " + value.brief() + "; allowed are 1 to 8 integers from 1 to 1024");
}

// A class at a point of a level.
struct Candidate {
  float score;
  int32_t level;
  int64_t at;  // of its logit
};

constexpr int64_t kBlock = 64;  // logits looked at together: most are of background

// Those above the threshold, by levels.
std::vector<Candidate> find_candidates(const std::vector<LevelMaps>& levels, const HeadSettings& s) {
  const double chance = std::clamp(s.score_thr, 0., 1.), infinite = std::numeric_limits<double>::infinity();
  const float lowest = float(chance == 0 ? -infinite : chance == 1 ? infinite : std::log(chance / (1 - chance)));
  std::vector<Candidate> out;
  for (size_t level = 0; level < levels.size(); ++level) {
    const float* logits = levels[level].logits;
    const int64_t count = levels[level].height * levels[level].width * s.num_classes;
    for (int64_t from = 0; from < count; from += kBlock) {
      const int64_t end = std::min(from + kBlock, count);
      int any = 0;
      for (int64_t i = from; i < end; ++i) any |= logits[i] > lowest;
      if (!any) continue;
      for (int64_t i = from; i < end; ++i)
        if (logits[i] > lowest) out.push_back({1 / (1 + std::exp(-logits[i])), int32_t(level), i});
    }
  }
  return out;
}

// Places of the candidates by falling score; equal ones keep their order. Scores are 0 or more, so their bits are in order.
std::vector<uint32_t> order_by_score(const std::vector<Candidate>& candidates) {
  constexpr int kBits = 11, kBins = 1 << kBits;
  struct Key {
    uint32_t bits, place;
  };
  std::vector<Key> keys(candidates.size()), sorted(candidates.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    std::memcpy(&keys[i].bits, &candidates[i].score, 4);
    keys[i] = {~keys[i].bits, uint32_t(i)};
  }
  for (int shift = 0; shift < 32; shift += kBits) {
    uint32_t starts[kBins] = {};
    for (const Key& key : keys) ++starts[key.bits >> shift & (kBins - 1)];
    uint32_t before = 0;
    for (uint32_t& start : starts) before += std::exchange(start, before);
    for (const Key& key : keys) sorted[starts[key.bits >> shift & (kBins - 1)]++] = key;
    keys.swap(sorted);
  }
  std::vector<uint32_t> out(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) out[i] = keys[i].place;
  return out;
}

// The lesser of two, and the greater; no number stays none.
float least(float value, float bound) { return value > bound ? bound : value; }
float most(float value, float bound) { return value < bound ? bound : value; }

nasbnn_det_box box_of(const Candidate& candidate, const LevelMaps& level, const HeadSettings& s, const Frame& frame) {
  const int64_t point = candidate.at / s.num_classes, stride = s.strides[size_t(candidate.level)];
  const float* sides = level.log_distances + point * 4;
  const float x = (float(point % level.width) + float(s.offset)) * float(stride);
  const float y = (float(point / level.width) + float(s.offset)) * float(stride);
  const auto clip = [](float value, float end) { return least(most(value, 0), end); };
  return {clip(x - distance_of(sides[0], stride), frame.width) / frame.scale_x,
          clip(y - distance_of(sides[1], stride), frame.height) / frame.scale_y,
          clip(x + distance_of(sides[2], stride), frame.width) / frame.scale_x,
          clip(y + distance_of(sides[3], stride), frame.height) / frame.scale_y,
          candidate.score, int32_t(candidate.at % s.num_classes)};
}

}  // namespace

HeadSettings HeadSettings::read(const Json& network) {
  HeadSettings s;
  bool known = true;
  for (const auto& [key, value] : network.members) {
    if (key == "num_classes") read_int(key, value, 1, 1 << 14, s.num_classes);
    else if (key == "nms_pre") read_int(key, value, -1, 1 << 20, s.nms_pre);
    else if (key == "max_per_img") read_int(key, value, 1, 1 << 16, s.max_per_img);
    else if (key == "offset") read_real(key, value, s.offset);
    else if (key == "score_thr") read_real(key, value, s.score_thr);
    else if (key == "iou_threshold") read_real(key, value, s.iou_threshold);
    else if (key == "min_bbox_size") read_real(key, value, s.min_bbox_size);
    else if (key == "strides") read_strides(value, s.strides);
    else known = known && key == "kind";
  }
  if (!known || !s.num_classes || s.strides.empty())
    throw Problem("the head is described by 'iou_threshold', 'max_per_img', 'min_bbox_size', 'nms_pre', 'num_classes', "
                  "'offset', 'score_thr', 'strides'; num_classes and strides must be among them");
  return s;
}

float distance_of(float log_distance, int64_t stride) { return std::exp(log_distance) * float(stride); }

std::vector<nasbnn_det_box> decode(const std::vector<LevelMaps>& levels, const HeadSettings& s, const Frame& frame) {
  const std::vector<Candidate> candidates = find_candidates(levels, s);
  std::vector<int64_t> seen(levels.size());
  Suppression suppression(s.num_classes, s.iou_threshold);
  for (uint32_t place : order_by_score(candidates)) {
    const Candidate& candidate = candidates[place];
    if (s.nms_pre >= 0 && seen[size_t(candidate.level)]++ >= s.nms_pre) continue;
    const nasbnn_det_box box = box_of(candidate, levels[size_t(candidate.level)], s, frame);
    const float smallest = float(s.min_bbox_size);
    if (s.min_bbox_size >= 0 && !(box.x2 - box.x1 > smallest && box.y2 - box.y1 > smallest)) continue;
    if (suppression.keep(box) && int64_t(suppression.kept().size()) == s.max_per_img) break;
  }
  return suppression.kept();
}
