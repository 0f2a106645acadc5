// Heads that predict distances from a grid of points to the sides of a box.
#pragma once
#include "head.h"

class PointHead : public Head {
 public:
  Corners box(const Candidate& candidate, const LevelMaps& maps) const override;
  float delivered(size_t level, float predicted) const override { return distance(predicted, level); }
  float predicted(size_t level, float delivered) const override { return before_distance(delivered, level); }

 protected:
  explicit PointHead(double offset) : offset_(offset) {}

  // From what is predicted to the distance in pixels, and back.
  virtual float distance(float predicted, size_t level) const = 0;
  virtual float before_distance(float distance, size_t level) const = 0;

  double offset_;  // of the points, in strides
};
