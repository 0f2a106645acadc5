// The backbone of any packed file by itself: from an image to its maps.
#pragma once
#include "wiring.h"

class Backbone {
 public:
  // Of a file's chains, whatever else is among them; throws Problem if none is a backbone.
  explicit Backbone(std::map<std::string, PackedChain> chains) : chains_(std::move(chains)) {
    line_ = chains_.take_backbone(0, channels_);
  }

  size_t maps() const { return channels_.size(); }

  // Maps of an image of planes [3][height][width], in the space's memory; throws Problem if it is too small or too large.
  std::vector<Map> forward(const float* planes, int64_t height, int64_t width, const Run& run) const {
    return run_image(line_, planes, height, width, run);
  }

  // Their sizes, without computing them.
  std::vector<Map> sizes(int64_t height, int64_t width) const { return map_sizes(line_, height, width); }

 private:
  Chains chains_;
  Line line_;
  std::vector<int64_t> channels_;
};
