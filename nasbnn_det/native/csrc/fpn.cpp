// A feature pyramid (FPN, arXiv 1612.03144): laterals, sums from the top down, a brick on each.
#include "neck.h"

namespace {

class Fpn : public Neck {
 public:
  Fpn(Chains& chains, std::vector<int64_t>& channels)
      : laterals_(take_laterals(chains, channels)), outputs_(chains.take_all("neck.outputs", channels, channels[0])) {}

 private:
  void join(std::vector<Map>& maps, const Run& run) const override {
    for (size_t i = 0; i < maps.size(); ++i) maps[i] = run_map(laterals_[i], maps[i], run);
    for (size_t i = maps.size() - 1; i-- > 0;) add_enlarged(maps[i + 1], maps[i]);
    for (size_t i = 0; i < maps.size(); ++i) maps[i] = run_map(outputs_[i], maps[i], run);
  }

  std::vector<Line> laterals_, outputs_;
};

}  // namespace

std::unique_ptr<Neck> make_fpn(Chains& chains, std::vector<int64_t>& channels) {
  return std::make_unique<Fpn>(chains, channels);
}
