// A detector that predicts on every level of a pyramid: backbone, neck and head of packed chains.
#pragma once
#include "decode.h"
#include "neck.h"

class DenseDetector {
 public:
  // From a packed file's chains, by the names of the modules in MMDetection's model, and what the file says of the network.
  // Throws Problem if a setting is wrong, or a chain is missing, left over or of other channels.
  DenseDetector(std::map<std::string, PackedChain> chains, const Json& network);

  const Head& head() const { return *head_; }

  // The head's maps of an image of planes [3][height][width], in the space's memory. Throws Problem if a map is too large,
  // or the image too small.
  std::vector<LevelMaps> forward(const float* planes, int64_t height, int64_t width, const Run& run) const;

 private:
  // Branches that share a tower of a level.
  struct Part {
    std::vector<size_t> branches;
    Line first;                // the tower and the first branch's predictor; if there are others, the tower's map too
    std::vector<Line> others;  // predictors on the tower's map
  };

  void wire_level(size_t level, int64_t channels);
  Line predictor(size_t branch, size_t level, int64_t inputs);

  Chains chains_;
  std::unique_ptr<Head> head_;
  Line backbone_;
  std::unique_ptr<Neck> neck_;
  std::map<std::string, Line> shared_;  // predictors of all levels
  std::vector<std::vector<Part>> levels_;
};
