// Heads that move and scale anchors, boxes of a few shapes around each point.
#pragma once
#include <array>

#include "head.h"

class AnchorHead : public Head {
 public:
  int64_t outputs(size_t branch, size_t level) const override;
  Corners box(const Candidate& candidate, const LevelMaps& maps) const override;

 protected:
  // Reads the settings, `anchors`, `means` and `stds`.
  explicit AnchorHead(const Json& network);

  // Anchors of a level's map.
  int64_t priors(const LevelMaps& maps, size_t level) const;

 private:
  std::vector<std::vector<Corners>> anchors_;  // of each level, around its first point
  std::array<float, 4> means_{0, 0, 0, 0}, stds_{1, 1, 1, 1};  // of what is predicted: x, y, width, height
};
