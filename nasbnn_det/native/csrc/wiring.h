// What networks of packed chains are wired of: maps, lines of layers that run in one call, and a file's chains by name.
#pragma once
#include "dispatch.h"
#include "packed_chain.h"

// What a call runs with.
struct Run {
  Workers workers;
  const Isa& isa;
  Workspace& space;
};

struct Map {
  float* data;  // [height][width][channels]
  int64_t height, width, channels;
  int64_t values() const { return height * width * channels; }
};

// Layers that run in one call; they point into the chains that they were made of.
struct Line {
  std::vector<NbLayer> layers;
  int64_t channels() const { return layers.back().out_channels; }
  // Runs another line on this one's last map, which is an output of its own, or is never written.
  void append(const Line& other, bool keep_last);
};

// A file's chains, by the names of the modules that they take the place of. Those that are taken live as long as this.
class Chains {
 public:
  explicit Chains(std::map<std::string, PackedChain> chains) : left_(std::move(chains)) {}

  bool has(const std::string& name) const { return left_.count(name) > 0; }
  // A chain of one output that must take so many channels, and give so many where it is said; throws Problem.
  Line take(const std::string& name, int64_t inputs, int64_t outputs = 0);
  // PREFIX.0, PREFIX.1, ..., one for each number of channels.
  std::vector<Line> take_all(const std::string& prefix, const std::vector<int64_t>& inputs, int64_t outputs = 0);
  // The chain 'backbone', which must take images. `outputs` receives the channels of what it gives: all that it lists, as
  // many as are wanted, or with 0 whatever it has.
  Line take_backbone(size_t wanted, std::vector<int64_t>& outputs);
  // Throws Problem if a chain is left.
  void finish() const;

 private:
  const PackedChain& use(const std::string& name);

  std::map<std::string, PackedChain> left_, used_;
};

// The maps that a line gives of an input of this size, without their numbers. Throws Problem if one is too large, or the
// input too small.
std::vector<Map> map_sizes(const Line& line, int64_t height, int64_t width);

// Runs a line; its outputs lie in the space's memory, finest first. Throws as map_sizes does.
std::vector<Map> run_line(const Line& line, const Map& input, const Run& run);
// A line of one output.
Map run_map(const Line& line, const Map& input, const Run& run);
// The same for an image of planes [3][height][width].
std::vector<Map> run_image(const Line& line, const float* planes, int64_t height, int64_t width, const Run& run);

// Adds a map, enlarged to the size of the other by its nearest pixels, as PyTorch's interpolate chooses them.
void add_enlarged(const Map& above, Map& onto);
