#include "suppress.h"

#include <algorithm>

namespace {

// Whether the intersection over the union, in double precision as torchvision takes it, is above the threshold.
bool overlap(const nasbnn_det_box& a, const nasbnn_det_box& b, double threshold) {
  const double width = std::max(0., double(std::min(a.x2, b.x2)) - std::max(a.x1, b.x1));
  const double height = std::max(0., double(std::min(a.y2, b.y2)) - std::max(a.y1, b.y1));
  const double both = width * height;
  if (both == 0 && threshold >= 0) return false;
  const auto area = [](const nasbnn_det_box& c) { return (double(c.x2) - c.x1) * (double(c.y2) - c.y1); };
  return both / (area(a) + area(b) - both) > threshold;
}

}  // namespace

bool Suppression::keep(const nasbnn_det_box& box) {
  int32_t& last = last_[size_t(box.label)];
  for (int32_t i = last; i >= 0; i = before_[size_t(i)])
    if (overlap(kept_[size_t(i)], box, threshold_)) return false;
  before_.push_back(last);
  last = int32_t(kept_.size());
  kept_.push_back(box);
  return true;
}
