// A kind of detector's head: which chains it is made of, and how its maps become scores and boxes. A further kind is a file
// like retinanet.cpp, and a line in head.cpp.
#pragma once
#include <memory>

#include "head_settings.h"

constexpr size_t kMostBranches = 3, kLogits = 0, kBoxes = 1;

// What the predictors give for a level.
struct LevelMaps {
  int64_t height, width;
  const float* maps[kMostBranches];  // of each branch, [height][width][outputs]
};

// A class at a prior (a point, or an anchor there) of a level.
struct Candidate {
  float score;
  int32_t level;
  int64_t at;  // of its logit, in the level's map
};

// In pixels of the network's input.
struct Corners {
  float x1, y1, x2, y2;
};

class Head {
 public:
  struct Branch {
    std::string towers;     // chains TOWERS.0, TOWERS.1, ... before the predictors; a head without such chains has none
    std::string predictor;  // chain PREDICTOR for all levels, or PREDICTOR.0, PREDICTOR.1, ...
    bool per_level;
  };

  virtual ~Head() = default;

  // Of the description in a packed file, whose `kind` names it; throws Problem if that is unknown or a setting wrong.
  static std::unique_ptr<Head> make(const Json& network);

  const HeadSettings& settings() const { return settings_; }
  size_t levels() const { return settings_.strides.size(); }

  // kLogits gives those of classes, kBoxes what boxes are made of.
  virtual std::vector<Branch> branches() const = 0;
  virtual int64_t outputs(size_t branch, size_t level) const = 0;

  // Adds a level's candidates above the lowest score.
  virtual void find(const LevelMaps& maps, size_t level, std::vector<Candidate>& out) const = 0;
  // Logits of a prior: the classes', and a background's behind them if there is one.
  virtual int64_t logits_per_prior() const { return settings_.num_classes; }
  virtual Corners box(const Candidate& candidate, const LevelMaps& maps) const = 0;
  // Whether those that `nms_pre` leaves get another score, and which.
  virtual bool rescores() const { return false; }
  virtual float score(const Candidate& candidate, const LevelMaps&) const { return candidate.score; }

  // A value that boxes are made of as MMDetection's head gives it, and back.
  virtual float delivered(size_t /*level*/, float predicted) const { return predicted; }
  virtual float predicted(size_t /*level*/, float delivered) const { return delivered; }

 protected:
  HeadSettings settings_;
};

using MakeHead = std::unique_ptr<Head>(const Json& network);
MakeHead make_fcos, make_retinanet, make_rtmdet, make_ssd;
