// FCOS's head (arXiv 1904.01355): distances in pixels by a scale of each level; behind `nms_pre`, centerness lowers the
// scores of boxes whose point lies at their border.
#include <cmath>

#include "point_head.h"
#include "problem.h"
#include "scores.h"

namespace {

class Fcos : public PointHead {
 public:
  explicit Fcos(const Json& network) : PointHead(0.5) {
    const auto read_scales = [this](const std::string& key, const Json& value) { scales_ = read_reals(key, value, 1, 8); };
    settings_ = read_settings(network, {{"offset", real_reader(offset_)},
                                        {"scales", read_scales},
                                        {"norm_on_bbox", bool_reader(norm_on_bbox_)},
                                        {"centerness_on_reg", bool_reader(centerness_on_reg_)}});
    if (scales_.size() != levels())
      throw Problem("FCOS's head needs one of 'scales' for each of its " + std::to_string(levels()) + " levels");
  }

  std::vector<Branch> branches() const override {
    const std::string classes = "bbox_head.cls_towers", boxes = "bbox_head.reg_towers";
    return {{classes, "bbox_head.conv_cls", false}, {boxes, "bbox_head.conv_reg", false},
            {centerness_on_reg_ ? boxes : classes, "bbox_head.conv_centerness", false}};
  }
  int64_t outputs(size_t branch, size_t) const override {
    return branch == kLogits ? settings_.num_classes : branch == kBoxes ? 4 : 1;
  }

  void find(const LevelMaps& maps, size_t level, std::vector<Candidate>& out) const override {
    find_by_sigmoid(maps.maps[kLogits], maps.height * maps.width * settings_.num_classes, settings_.score_thr, level, out);
  }
  bool rescores() const override { return true; }
  float score(const Candidate& candidate, const LevelMaps& maps) const override {
    return candidate.score * sigmoid(maps.maps[2][candidate.at / settings_.num_classes]);
  }

 private:
  float distance(float predicted, size_t level) const override {
    const float scaled = predicted * scales_[level];
    if (!norm_on_bbox_) return std::exp(scaled);
    return (scaled < 0 ? 0 : scaled) * float(settings_.strides[level]);
  }
  float before_distance(float distance, size_t level) const override {
    return (norm_on_bbox_ ? distance / float(settings_.strides[level]) : std::log(distance)) / scales_[level];
  }

  std::vector<float> scales_;
  bool norm_on_bbox_ = false, centerness_on_reg_ = false;
};

}  // namespace

std::unique_ptr<Head> make_fcos(const Json& network) { return std::make_unique<Fcos>(network); }
