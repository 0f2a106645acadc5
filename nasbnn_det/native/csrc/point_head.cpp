#include "point_head.h"

Corners PointHead::box(const Candidate& candidate, const LevelMaps& maps) const {
  const size_t level = size_t(candidate.level);
  const int64_t point = candidate.at / logits_per_prior(), stride = settings_.strides[level];
  const float* sides = maps.maps[kBoxes] + point * 4;
  const float x = (float(point % maps.width) + float(offset_)) * float(stride);
  const float y = (float(point / maps.width) + float(offset_)) * float(stride);
  return {x - distance(sides[0], level), y - distance(sides[1], level), x + distance(sides[2], level),
          y + distance(sides[3], level)};
}
