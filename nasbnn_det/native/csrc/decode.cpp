#include "decode.h"

#include <cstring>
#include <utility>

#include "suppress.h"

namespace {

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

// No number is dropped, as it has no place in the order.
std::vector<Candidate> rescored(const std::vector<Candidate>& candidates, const std::vector<LevelMaps>& levels,
                                const Head& head) {
  std::vector<Candidate> out;
  for (Candidate candidate : candidates) {
    candidate.score = head.score(candidate, levels[size_t(candidate.level)]);
    if (candidate.score >= 0) out.push_back(candidate);
  }
  return out;
}

// Best first, of each level as many as are allowed.
std::vector<Candidate> select(const std::vector<LevelMaps>& levels, const Head& head) {
  std::vector<Candidate> found, out;
  for (size_t level = 0; level < levels.size(); ++level) head.find(levels[level], level, found);
  std::vector<int64_t> seen(levels.size());
  const int64_t most = head.settings().nms_pre;
  for (uint32_t place : order_by_score(found)) {
    const Candidate& candidate = found[place];
    if (most < 0 || seen[size_t(candidate.level)]++ < most) out.push_back(candidate);
  }
  if (!head.rescores()) return out;
  found = rescored(out, levels, head);
  out.clear();
  for (uint32_t place : order_by_score(found)) out.push_back(found[place]);
  return out;
}

// Within 0 and the end; no number stays none.
float clip(float value, float end) { return value < 0 ? 0 : value > end ? end : value; }

}  // namespace

std::vector<nasbnn_det_box> decode(const std::vector<LevelMaps>& levels, const Head& head, const Frame& frame) {
  const HeadSettings& s = head.settings();
  const float smallest = float(s.min_bbox_size);
  Suppression suppression(s.num_classes, s.iou_threshold);
  for (const Candidate& candidate : select(levels, head)) {
    const Corners c = head.box(candidate, levels[size_t(candidate.level)]);
    const nasbnn_det_box box{clip(c.x1, frame.width) / frame.scale_x, clip(c.y1, frame.height) / frame.scale_y,
                             clip(c.x2, frame.width) / frame.scale_x, clip(c.y2, frame.height) / frame.scale_y,
                             candidate.score, int32_t(candidate.at % head.logits_per_prior())};
    if (s.min_bbox_size >= 0 && !(box.x2 - box.x1 > smallest && box.y2 - box.y1 > smallest)) continue;
    if (suppression.keep(box) && int64_t(suppression.kept().size()) == s.max_per_img) break;
  }
  return suppression.kept();
}
