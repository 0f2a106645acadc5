// RTMDet (arXiv 2212.07784) of packed chains: backbone, path-aggregation neck, head.
#pragma once
#include "decode.h"
#include "dispatch.h"
#include "packed_chain.h"

// What a call runs with.
struct Run {
  Workers workers;
  const Isa& isa;
  Workspace& space;
};

class RtmDet {
 public:
  // From the chains of a packed file, by the names of the modules in MMDetection's model, and the settings that the file
  // gives its network. Throws Problem if a setting is wrong, or a chain is missing, left over or of other channels.
  RtmDet(std::map<std::string, PackedChain> chains, const Json& network);

  const HeadSettings& settings() const { return settings_; }

  // The head's maps of an image of planes [3][height][width], in the space's memory. Throws Problem if a map is too large,
  // or the image too small.
  std::vector<LevelMaps> forward(const float* planes, int64_t height, int64_t width, const Run& run) const;

 private:
  // Layers that run in one call.
  struct Line {
    std::vector<NbLayer> layers;
    int outputs = 1;
  };
  struct Map {
    float* data;
    int64_t height, width, channels;
    int64_t values() const { return height * width * channels; }
  };

  static Line line_of(const PackedChain& chain);
  std::vector<Line> take(const std::string& prefix, size_t count, const std::vector<int64_t>& inputs, int64_t outputs = 0);
  std::vector<Map> run_line(const Line& line, const NbInput& input, const Run& run) const;
  Map run_map(const Line& line, const Map& input, const Run& run) const;
  static void add_enlarged(const Map& above, Map& onto);

  std::map<std::string, PackedChain> chains_, used_;  // not yet wired, and those that the lines point into
  HeadSettings settings_;
  Line backbone_;
  std::vector<Line> laterals_, top_down_, downsamples_, bottom_up_, classes_, boxes_;
};
