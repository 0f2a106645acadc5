// RetinaNet's head (arXiv 1708.02002): anchors, one predictor for all levels, a score for each class by itself.
#include "anchor_head.h"
#include "scores.h"

namespace {

class RetinaNet : public AnchorHead {
 public:
  explicit RetinaNet(const Json& network) : AnchorHead(network) {}

  std::vector<Branch> branches() const override {
    return {{"bbox_head.cls_towers", "bbox_head.retina_cls", false}, {"bbox_head.reg_towers", "bbox_head.retina_reg", false}};
  }

  void find(const LevelMaps& maps, size_t level, std::vector<Candidate>& out) const override {
    find_by_sigmoid(maps.maps[kLogits], priors(maps, level) * settings_.num_classes, settings_.score_thr, level, out);
  }
};

}  // namespace

std::unique_ptr<Head> make_retinanet(const Json& network) { return std::make_unique<RetinaNet>(network); }
