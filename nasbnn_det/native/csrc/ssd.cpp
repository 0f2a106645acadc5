// SSD's head (arXiv 1512.02325): anchors, everything each level's own, and a background that classes share a score with.
#include "anchor_head.h"
#include "scores.h"

namespace {

class Ssd : public AnchorHead {
 public:
  explicit Ssd(const Json& network) : AnchorHead(network) {}

  std::vector<Branch> branches() const override {
    return {{"", "bbox_head.cls_convs", true}, {"", "bbox_head.reg_convs", true}};
  }
  int64_t logits_per_prior() const override { return settings_.num_classes + 1; }

  void find(const LevelMaps& maps, size_t level, std::vector<Candidate>& out) const override {
    find_by_softmax(maps.maps[kLogits], priors(maps, level), logits_per_prior(), settings_.score_thr, level, out);
  }
};

}  // namespace

std::unique_ptr<Head> make_ssd(const Json& network) { return std::make_unique<Ssd>(network); }
