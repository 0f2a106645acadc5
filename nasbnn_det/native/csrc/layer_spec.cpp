#include "layer_spec.h"

#include <algorithm>

#include "problem.h"

namespace {

constexpr int64_t kMostChannels = 1 << 14;
constexpr int64_t kMostTiled = 1 << 26;  // what a stranger's file can make us allocate for a layer

void check_int(const std::string& name, const Json& value, int64_t low, int64_t high, int64_t& out) {
  if (!value.to_int(out) || out < low || out > high)
    throw Problem(name + " is " + value.brief() + "; allowed are integers from " + std::to_string(low) + " to " +
                  std::to_string(high));
}

void check_pair(const std::string& name, const Json& value, int64_t low, int64_t high, int64_t (&out)[2]) {
  if (!value.is(Json::Kind::kArray) || value.items.size() != 2)
    throw Problem(name + " is " + value.brief() + "; a pair of integers is wanted");
  for (int i = 0; i < 2; ++i) check_int(name, value.items[i], low, high, out[i]);
}

void check_bool(const std::string& name, const Json& value, bool& out) {
  if (!value.is(Json::Kind::kBool)) throw Problem(name + " is " + value.brief() + "; allowed are true and false");
  out = value.truth;
}

void check_weight(const Json& value, LayerSpec::Weight& out) {
  const std::string names[] = {"binary", "int8", "float"};
  const auto* found = std::find(std::begin(names), std::end(names), value.is(Json::Kind::kString) ? value.text : "");
  if (found == std::end(names))
    throw Problem("weight is " + value.brief() + "; allowed are 'binary', 'int8' and 'float'");
  out = LayerSpec::Weight(found - names);
}

std::string pair_text(const int64_t (&pair)[2]) {
  return "(" + std::to_string(pair[0]) + ", " + std::to_string(pair[1]) + ")";
}

// What can't be said of one value alone.
void check_together(const LayerSpec& s) {
  if (s.in_channels % s.groups || s.out_channels % s.groups)
    throw Problem("in_channels=" + std::to_string(s.in_channels) + " and out_channels=" + std::to_string(s.out_channels) +
                  " must both be divisible by groups=" + std::to_string(s.groups));
  bool keeps_size = s.stride[0] == s.stride[1];
  for (int i = 0; i < 2; ++i) {
    const int64_t reach = s.dilation[i] * (s.kernel[i] - 1);
    if (s.padding[i] > std::max<int64_t>(64, reach))
      throw Problem("padding " + pair_text(s.padding) + " is too large; allowed are 64 and what a kernel of " +
                    pair_text(s.kernel) + " with dilation " + pair_text(s.dilation) + " reaches");
    keeps_size = keeps_size && 2 * s.padding[i] == reach && s.kernel[i] % 2 == 1;
  }
  if (s.tiled_values() > kMostTiled)
    throw Problem("a layer of " + std::to_string(s.in_channels) + " to " + std::to_string(s.out_channels) + " channels in " +
                  std::to_string(s.groups) + " groups with a kernel of " + pair_text(s.kernel) + " is too large: " +
                  std::to_string(s.tiled_values()) + " values, " + std::to_string(kMostTiled) + " are allowed");
  if (s.shortcut && !(s.binary() && keeps_size))
    throw Problem("a shortcut needs a binary layer with an odd kernel, a padding that keeps the size and one stride for both "
                  "directions");
}

}  // namespace

LayerSpec LayerSpec::read(const Json& entry) {
  if (!entry.is(Json::Kind::kObject)) throw Problem("a layer is described by an object, not by " + entry.brief());
  LayerSpec s;
  for (const auto& [key, value] : entry.members) {
    if (key == "weight") check_weight(value, s.weight);
    else if (key == "in_channels") check_int(key, value, 1, kMostChannels, s.in_channels);
    else if (key == "out_channels") check_int(key, value, 1, kMostChannels, s.out_channels);
    else if (key == "groups") check_int(key, value, 1, kMostChannels, s.groups);
    else if (key == "kernel") check_pair(key, value, 1, 31, s.kernel);
    else if (key == "stride") check_pair(key, value, 1, 31, s.stride);
    else if (key == "padding") check_pair(key, value, 0, 1024, s.padding);
    else if (key == "dilation") check_pair(key, value, 1, 64, s.dilation);
    else if (key == "shortcut") check_bool(key, value, s.shortcut);
    else if (key == "activation") check_bool(key, value, s.activation);
    else if (key != "weight_of") throw Problem("a layer has the unknown key " + Json{Json::Kind::kString, false, key, {}, {}}.brief());
  }
  for (const char* wanted : {"weight", "in_channels", "out_channels"})
    if (!entry.find(wanted)) throw Problem("a layer lacks the key '" + std::string(wanted) + "'");
  check_together(s);
  return s;
}

bool LayerSpec::same_weight(const LayerSpec& other) const {
  return weight == other.weight && out_channels == other.out_channels && in_per_group() == other.in_per_group() &&
         kernel[0] == other.kernel[0] && kernel[1] == other.kernel[1] && groups == other.groups &&
         counts_positions() == other.counts_positions();
}

void advance(const NbLayer& l, int64_t& height, int64_t& width) {
  const int64_t before[2] = {height, width};
  const auto step = [&](int64_t size, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation) {
    const int64_t room = size + 2 * pad - dilation * (kernel - 1) - 1;
    if (room < 0)
      throw Problem("an input of " + std::to_string(before[0]) + " x " + std::to_string(before[1]) +
                    " pixels is too small for a kernel of (" + std::to_string(l.kernel_h) + ", " +
                    std::to_string(l.kernel_w) + "), dilation (" + std::to_string(l.dilation_h) + ", " +
                    std::to_string(l.dilation_w) + "), padding (" + std::to_string(l.pad_h) + ", " +
                    std::to_string(l.pad_w) + ")", NASBNN_DET_BAD_INPUT);
    return room / stride + 1;
  };
  height = step(height, l.kernel_h, l.stride_h, l.pad_h, l.dilation_h);
  width = step(width, l.kernel_w, l.stride_w, l.pad_w, l.dilation_w);
  if (height * width * l.out_channels > kMostMapValues)
    throw Problem("a map of " + std::to_string(height) + " x " + std::to_string(width) + " pixels and " +
                  std::to_string(l.out_channels) + " channels is too large; " + std::to_string(kMostMapValues) +
                  " values are allowed", NASBNN_DET_BAD_INPUT);
}
