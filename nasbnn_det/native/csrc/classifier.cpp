#include "classifier.h"

#include <algorithm>
#include <cmath>

#include "problem.h"

namespace {

constexpr char kWeight[] = "head.fc.weight", kBias[] = "head.fc.bias", kLinear[] = "head.fc";
constexpr int64_t kMostClasses = 1 << 14;

// The file's chains, and the linear layer as a further one.
std::map<std::string, PackedChain> with_linear(PackedFile& file) {
  const auto weight = file.state.find(kWeight), bias = file.state.find(kBias), end = file.state.end();
  if (file.state.size() != 2 || weight == end || bias == end || weight->second.shape.size() != 2 ||
      bias->second.shape != std::vector<int64_t>{weight->second.shape[0]})
    throw Problem(std::string("a classifier has the tensors ") + kWeight + " and " + kBias + " beside its chains, of two "
                  "dimensions and of one");
  const int64_t classes = weight->second.shape[0], channels = weight->second.shape[1];
  if (classes < 1 || classes > kMostClasses || channels < 1 || channels > kMostClasses)
    throw Problem("the linear layer has " + std::to_string(channels) + " inputs and " + std::to_string(classes) +
                  " outputs; allowed are 1 to " + std::to_string(kMostClasses));
  if (!file.chains.emplace(kLinear, linear_chain(channels, classes, weight->second.values, bias->second.values)).second)
    throw Problem(std::string("a classifier has no chain ") + kLinear);
  return std::move(file.chains);
}

// Pixels are added one after another, row by row.
Map average_pixels(const Map& map, const Run& run) {
  Map out{run.space.network.take<float>(map.channels), 1, 1, map.channels};
  std::copy_n(map.data, map.channels, out.data);
  const int64_t pixels = map.height * map.width;
  for (int64_t i = 1; i < pixels; ++i)
    for (int64_t c = 0; c < map.channels; ++c) out.data[c] += map.data[i * map.channels + c];
  for (int64_t c = 0; c < map.channels; ++c) out.data[c] /= float(pixels);
  return out;
}

}  // namespace

Classifier::Classifier(PackedFile file, const Json& network) : chains_(with_linear(file)) {
  std::vector<int64_t> channels;
  backbone_ = chains_.take_backbone(0, channels);
  linear_ = chains_.take(kLinear, channels.back());
  chains_.finish();
  const Json* said = network.find("num_classes");
  int64_t classes;
  if (!said || !said->to_int(classes) || classes != num_classes() || network.members.size() != 2)
    throw Problem("it tells " + std::to_string(num_classes()) + " classes apart and its network is " + network.brief());
}

const float* Classifier::logits(const float* planes, int64_t height, int64_t width, const Run& run) const {
  const Map last = run_image(backbone_, planes, height, width, run).back();
  return run_map(linear_, average_pixels(last, run), run).data;
}

void softmax(const float* logits, int64_t count, float* probabilities) {
  const float highest = *std::max_element(logits, logits + count);
  float sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += probabilities[i] = std::exp(logits[i] - highest);
  for (int64_t i = 0; i < count; ++i) probabilities[i] /= sum;
}
