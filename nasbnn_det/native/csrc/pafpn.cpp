// Path aggregation (PANet, arXiv 1803.01534): sums from the top down, then from the bottom up.
#include "neck.h"
#include "problem.h"

namespace {

class Pafpn : public Neck {
 public:
  Pafpn(Chains& chains, std::vector<int64_t>& channels) : laterals_(take_laterals(chains, channels)) {
    const std::vector<int64_t> between(channels.size() - 1, channels[0]);
    top_down_ = chains.take_all("neck.top_down", between, channels[0]);
    downsamples_ = chains.take_all("neck.downsamples", between, channels[0]);
    bottom_up_ = chains.take_all("neck.bottom_up", between, channels[0]);
  }

 private:
  void join(std::vector<Map>& maps, const Run& run) const override {
    for (size_t i = 0; i < maps.size(); ++i) maps[i] = run_map(laterals_[i], maps[i], run);
    for (size_t i = maps.size() - 1; i-- > 0;) {
      add_enlarged(maps[i + 1], maps[i]);
      maps[i] = run_map(top_down_[i], maps[i], run);
    }
    for (size_t i = 0; i + 1 < maps.size(); ++i) {
      const Map below = run_map(downsamples_[i], maps[i], run);
      if (below.height != maps[i + 1].height || below.width != maps[i + 1].width)
        throw Problem("the neck's maps of level " + std::to_string(i) + " and " + std::to_string(i + 1) + " do not meet: " +
                      std::to_string(below.height) + " x " + std::to_string(below.width) + " and " +
                      std::to_string(maps[i + 1].height) + " x " + std::to_string(maps[i + 1].width) + " pixels");
      for (int64_t j = 0; j < below.values(); ++j) maps[i + 1].data[j] += below.data[j];
      maps[i + 1] = run_map(bottom_up_[i], maps[i + 1], run);
    }
  }

  std::vector<Line> laterals_, top_down_, downsamples_, bottom_up_;
};

}  // namespace

std::unique_ptr<Neck> make_pafpn(Chains& chains, std::vector<int64_t>& channels) {
  return std::make_unique<Pafpn>(chains, channels);
}
