// What lies between a backbone and a head. A further kind of neck is a file like fpn.cpp, and a line in neck.cpp.
#pragma once
#include <memory>

#include "wiring.h"

class Neck {
 public:
  virtual ~Neck() = default;

  // By the name that a packed file gives it; throws Problem if that is unknown or a chain does not fit. `channels` are those
  // of the backbone's maps, and become those of all levels.
  static std::unique_ptr<Neck> make(const std::string& name, Chains& chains, std::vector<int64_t>& channels);

  // The levels' maps, finest first.
  std::vector<Map> forward(std::vector<Map> maps, const Run& run) const;

 private:
  // What becomes of the backbone's maps.
  virtual void join(std::vector<Map>& maps, const Run& run) const = 0;

  std::vector<Line> extra_;  // levels above the backbone's last one, each on the one before it
};

// Levels above the backbone's that a file's chains compute: neck.extra.0, neck.extra.1, ...
size_t extra_levels(const Chains& chains);

// Chains neck.laterals.0, neck.laterals.1, ..., which bring all maps to as many channels as the first one gives.
std::vector<Line> take_laterals(Chains& chains, std::vector<int64_t>& channels);

using MakeNeck = std::unique_ptr<Neck>(Chains& chains, std::vector<int64_t>& channels);
MakeNeck make_fpn, make_pafpn, make_extra;
