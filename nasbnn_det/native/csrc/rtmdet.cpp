// RTMDet's head (arXiv 2212.07784): per level its own predictors; distances are powers of e, in strides.
#include <cmath>

#include "point_head.h"
#include "scores.h"

namespace {

class RtmDet : public PointHead {
 public:
  explicit RtmDet(const Json& network) : PointHead(0) {
    settings_ = read_settings(network, {{"offset", real_reader(offset_)}});
  }

  std::vector<Branch> branches() const override {
    return {{"bbox_head.cls_towers", "bbox_head.rtm_cls", true}, {"bbox_head.reg_towers", "bbox_head.rtm_reg", true}};
  }
  int64_t outputs(size_t branch, size_t) const override { return branch == kBoxes ? 4 : settings_.num_classes; }

  void find(const LevelMaps& maps, size_t level, std::vector<Candidate>& out) const override {
    find_by_sigmoid(maps.maps[kLogits], maps.height * maps.width * settings_.num_classes, settings_.score_thr, level, out);
  }

 private:
  float distance(float predicted, size_t level) const override {
    return std::exp(predicted) * float(settings_.strides[level]);
  }
  float before_distance(float distance, size_t level) const override {
    return std::log(distance / float(settings_.strides[level]));
  }
};

}  // namespace

std::unique_ptr<Head> make_rtmdet(const Json& network) { return std::make_unique<RtmDet>(network); }
