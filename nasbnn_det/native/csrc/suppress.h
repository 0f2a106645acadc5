// Non-maximum suppression within classes, box by box, best first.
#pragma once
#include <cstdint>
#include <vector>

#include "../include/nasbnn_det.h"

class Suppression {
 public:
  Suppression(int64_t classes, double iou_threshold) : threshold_(iou_threshold), last_(size_t(classes), -1) {}

  // Keeps a box unless it overlaps one of its class that is kept already by more than the threshold; says whether it does.
  bool keep(const nasbnn_det_box& box);
  const std::vector<nasbnn_det_box>& kept() const { return kept_; }

 private:
  double threshold_;
  std::vector<int32_t> last_, before_;  // kept boxes of a class: its last one, and for each the one before it
  std::vector<nasbnn_det_box> kept_;
};
