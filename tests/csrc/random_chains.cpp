// Runs random chains on every instruction set of this machine and compares all outputs with plain loops, bit by bit.
//
// Built with sanitizers it is also a search for overruns: every buffer has exactly the size that kernels.h states and
// begins at a multiple of 4 bytes, no more.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "checks.h"
#include "plain.h"

NB_API const char* nb_isa(int index);
NB_API int nb_run(const char* isa_name, const NbLayer* layers, int count, const NbInput* input, float* const* outputs,
                  int32_t* dots, int64_t* sums, int threads);
NB_API void nb_free_workspaces();
NB_API int64_t nb_peak(const char* isa_name, int64_t rounds, int64_t words);

namespace {

constexpr int64_t kMostWork = 3'000'000;  // multiply-accumulates of a layer, so that the plain loops stay quick

// The same numbers on every machine, unlike the distributions of the standard library.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int64_t between(int64_t low, int64_t high) { return low + int64_t(engine_() % uint64_t(high - low + 1)); }
  bool chance(int percent) { return between(1, 100) <= percent; }
  uint32_t word() { return uint32_t(engine_()); }
  // Quarters, so that sums meet the threshold of a sign often; sometimes a zero of either sign.
  float quarter() { return chance(5) ? (chance(50) ? 0.f : -0.f) : float(between(-12, 12)) / 4; }
  float real() { return float(between(-1'000'000, 1'000'000)) / 300'000; }

 private:
  std::mt19937_64 engine_;
};

// Exactly so many values, of which AddressSanitizer knows the end; aligned for one value and not better.
template <class T>
class Buffer {
 public:
  Buffer(Random& random, int64_t size) : lead_(random.between(0, 3)), size_(size), data_(new T[lead_ + size]()) {}
  T* get() const { return size_ ? data_.get() + lead_ : nullptr; }
  int64_t size() const { return size_; }

 private:
  int64_t lead_, size_;
  std::unique_ptr<T[]> data_;
};

// A layer and what it points to.
struct Layer {
  NbLayer c{};
  std::vector<Buffer<float>> reals;
  std::vector<Buffer<uint32_t>> bits;
  std::vector<Buffer<int32_t>> counts;
};

int64_t channels_of(Random& random) {
  if (random.chance(4)) return random.between(200, 1536);
  return random.chance(40) ? random.between(1, 40) : random.between(1, 200);
}

// A number of groups that divides `channels`, mostly 1.
int groups_of(Random& random, int64_t channels) {
  if (random.chance(50)) return 1;
  int64_t groups = random.chance(30) ? channels : random.between(2, 16);
  while (channels % groups) --groups;
  return int(groups);
}

// Sizes and options of a layer that fits an input; false where the draw does not.
bool draw(Random& random, NbLayer& l, int64_t in_channels, int64_t height, int64_t width) {
  l = NbLayer{};
  l.binary = random.chance(75);
  l.in_channels = int(in_channels);
  l.groups = groups_of(random, in_channels);
  l.out_channels = int(std::max<int64_t>(1, channels_of(random) / l.groups) * l.groups);
  if (random.chance(30)) l.out_channels = l.in_channels;
  l.shortcut = l.binary && random.chance(60);
  const int kernels[] = {1, 1, 3, 3, 5, 7};
  l.kernel_h = l.kernel_w = kernels[random.between(0, 5)];
  l.stride_h = l.stride_w = random.chance(60) ? 1 : 2;
  l.dilation_h = l.dilation_w = random.chance(80) ? 1 : int(random.between(2, 3));
  l.pad_h = l.pad_w = l.dilation_h * (l.kernel_h / 2);
  if (!l.shortcut && random.chance(50)) {
    l.kernel_w = int(random.between(1, 7));
    l.stride_w = int(random.between(1, 3));
    l.dilation_w = int(random.between(1, 3));
    l.pad_h = int(random.between(0, l.kernel_h + 2));
    l.pad_w = int(random.between(0, l.kernel_w * l.dilation_w + 2));
  }
  const int64_t pixels = out_size(height, l.kernel_h, l.stride_h, l.pad_h, l.dilation_h) *
                         out_size(width, l.kernel_w, l.stride_w, l.pad_w, l.dilation_w);
  return pixels > 0 && pixels * l.out_channels * (in_channels / l.groups) * l.kernel_h * l.kernel_w <= kMostWork;
}

const float* fill(Random& random, Layer& layer, int64_t size, bool quarters) {
  layer.reals.emplace_back(random, size);
  float* data = layer.reals.back().get();
  for (int64_t i = 0; i < size; ++i) data[i] = quarters ? random.quarter() : random.real();
  return data;
}

// Weights as kernels.h lays them out, zeros where a tile has no channels or a word no bits; `negative`: all bits are 0.
void fill_weight(Random& random, Layer& layer, bool negative) {
  NbLayer& l = layer.c;
  const int64_t ins = l.in_channels / l.groups, outs = l.out_channels / l.groups, positions = l.kernel_h * l.kernel_w;
  const int64_t tiles = (outs + 31) / 32, words = (ins + 31) / 32, rows = positions * (l.binary ? words : ins);
  const auto exists = [&](int64_t i) { return i / (rows * 32) % tiles * 32 + i % 32 < outs; };
  const int64_t size = l.groups * tiles * rows * 32;
  if (!l.binary) {
    layer.reals.emplace_back(random, size);
    float* data = layer.reals.back().get();
    for (int64_t i = 0; i < size; ++i) data[i] = exists(i) ? random.quarter() : 0;
    l.weight = data;
    return;
  }
  layer.bits.emplace_back(random, size);
  uint32_t* data = layer.bits.back().get();
  for (int64_t i = 0; i < size; ++i) {
    const int64_t bits = std::min<int64_t>(32, ins - i / 32 % words * 32);
    data[i] = exists(i) && !negative ? random.word() & (bits == 32 ? ~0u : (1u << bits) - 1) : 0;
  }
  l.weight = data;
  if (l.kernel_h == 1 && l.kernel_w == 1 && l.pad_h == 0 && l.pad_w == 0) return;  // needs no position_counts
  const int64_t tiled = l.groups * tiles * 32, columns = l.kernel_w + 1;
  layer.counts.emplace_back(random, (l.kernel_h + 1) * columns * tiled);
  int32_t* counts = layer.counts.back().get();
  for (int64_t c = 0; c < tiled; ++c)
    for (int64_t y = 1; y <= l.kernel_h; ++y)
      for (int64_t x = 1; x < columns; ++x) {
        int32_t ones = 0;
        for (int64_t w = 0; w < words; ++w)
          ones += __builtin_popcount(data[((c / 32 * positions + (y - 1) * l.kernel_w + x - 1) * words + w) * 32 + c % 32]);
        const auto sum = [&](int64_t dy, int64_t dx) -> int32_t& {
          return counts[((y - dy) * columns + x - dx) * tiled + c];
        };
        sum(0, 0) = ones + sum(1, 0) + sum(0, 1) - sum(1, 1);
      }
  l.position_counts = counts;
}

void fill_layer(Random& random, Layer& layer, bool negative) {
  NbLayer& l = layer.c;
  fill_weight(random, layer, negative);
  const int64_t tiled = l.groups * ((l.out_channels / l.groups + 31) / 32) * 32;
  const bool quarters = random.chance(50);
  if (l.binary) l.sign_shift = fill(random, layer, l.in_channels, true);
  l.scale = fill(random, layer, tiled, quarters);
  l.shift = fill(random, layer, tiled, quarters);
  if (random.chance(60)) {
    l.slope = fill(random, layer, tiled, quarters);
    l.bias_out = fill(random, layer, tiled, quarters);
  }
}

// A chain, its input, and what must come out.
class Case {
 public:
  explicit Case(uint64_t seed) : random_(seed), opposite_(random_.chance(15)), input_(1, 1, 1, 1) {
    const int64_t least = opposite_ ? 7 : 1, most = random_.chance(70) ? 12 : 40;
    const int64_t channels = channels_of(random_);
    const int64_t batch = random_.chance(80) ? 1 : random_.between(2, 3);
    const int64_t height = random_.between(least, most), width = random_.between(least, most);
    input_ = Map(batch, height, width, channels);
    for (float& value : input_.values) value = opposite_ ? 8 : random_.quarter();
    draw_layers(int(random_.between(1, 4)));
    lay_out_input();
  }

  // Returns a sentence about the first difference, or nothing.
  std::string check(const char* isa, int threads) {
    std::vector<Buffer<float>> outputs;
    for (const Map& map : expected_) outputs.emplace_back(random_, int64_t(map.values.size()));
    Buffer<int32_t> dots(random_, int64_t(dots_.size()));
    std::vector<float*> pointers;
    for (const auto& output : outputs) pointers.push_back(output.get());
    std::vector<NbLayer> chain;
    for (const Layer& layer : layers_) chain.push_back(layer.c);
    const auto run = [&](int32_t* wanted, int64_t* wanted_sums) {
      return nb_run(isa, chain.data(), int(chain.size()), &source_, pointers.data(), wanted, wanted_sums, threads);
    };
    if (const int code = run(nullptr, nullptr)) return "nb_run gave code " + std::to_string(code);
    for (size_t i = 0; i < outputs.size(); ++i)
      if (std::memcmp(pointers[i], expected_[i].values.data(), outputs[i].size() * sizeof(float)))
        return "output " + std::to_string(i) + " differs";
    if (!chain.back().binary) return "";
    if (const int code = run(dots.get(), nullptr)) return "nb_run gave code " + std::to_string(code);
    if (std::memcmp(dots.get(), dots_.data(), dots.size() * sizeof(int32_t))) return "the dot products differ";
    const int64_t channels = chain.back().out_channels;
    Buffer<int64_t> sums(random_, 2 * channels);
    if (const int code = run(nullptr, sums.get())) return "nb_run gave code " + std::to_string(code);
    std::vector<int64_t> expected(2 * channels);
    for (size_t i = 0; i < dots_.size(); ++i) {
      expected[i % channels] += dots_[i];
      expected[channels + i % channels] += int64_t(dots_[i]) * dots_[i];
    }
    if (std::memcmp(sums.get(), expected.data(), expected.size() * sizeof(int64_t))) return "the sums differ";
    return "";
  }

  void print() const {
    const auto number = [](int64_t n) { return std::to_string(n) + " "; };
    const NbInput& s = source_;
    std::printf("  input %s, strides %s\n",
                (number(s.batch) + number(s.channels) + number(s.height) + number(s.width)).c_str(),
                (number(s.stride_n) + number(s.stride_c) + number(s.stride_h) + number(s.stride_w)).c_str());
    for (const Layer& layer : layers_) {
      const NbLayer& l = layer.c;
      std::printf("  %s %d -> %d, groups %d, kernel %d x %d, stride %d x %d, padding %d x %d, dilation %d x %d",
                  l.binary ? "binary" : "float", l.in_channels, l.out_channels, l.groups, l.kernel_h, l.kernel_w,
                  l.stride_h, l.stride_w, l.pad_h, l.pad_w, l.dilation_h, l.dilation_w);
      std::printf("%s%s, output %d\n", l.shortcut ? ", shortcut" : "", l.slope ? ", activation" : "", l.output);
    }
  }

 private:
  void draw_layers(int count) {
    Map map = input_;
    for (int i = 0; i < count; ++i) {
      Layer layer;
      while (!draw(random_, layer.c, map.channels, map.height, map.width)) {
      }
      fill_layer(random_, layer, opposite_ && i == 0);
      map = run_plain(layer.c, map, dots_);
      layer.c.output = -1;
      if (i + 1 == count || random_.chance(25)) {
        layer.c.output = int(expected_.size());
        expected_.push_back(map);
      }
      layers_.push_back(std::move(layer));
    }
  }

  // Channels last for a binary layer; a float one takes any strides: here planes, or a part of a larger image.
  void lay_out_input() {
    const Map& m = input_;
    NbInput& s = source_;
    const int64_t row_size = m.width * m.channels;
    s = {nullptr, m.batch, m.channels, m.height, m.width, m.height * row_size, 1, row_size, m.channels};
    if (!layers_[0].c.binary && random_.chance(70)) {
      const int64_t row = m.width + random_.between(0, 2);
      s.stride_w = 1;
      s.stride_h = row;
      s.stride_c = m.height * row;
      s.stride_n = m.channels * s.stride_c;
    }
    const int64_t last = (m.batch - 1) * s.stride_n + (m.channels - 1) * s.stride_c + (m.height - 1) * s.stride_h +
                         (m.width - 1) * s.stride_w;
    memory_ = std::make_unique<Buffer<float>>(random_, last + 1);
    float* data = memory_->get();
    for (int64_t n = 0; n < m.batch; ++n)
      for (int64_t y = 0; y < m.height; ++y)
        for (int64_t x = 0; x < m.width; ++x)
          for (int64_t c = 0; c < m.channels; ++c)
            data[n * s.stride_n + c * s.stride_c + y * s.stride_h + x * s.stride_w] = m.at(n, y, x, c);
    s.data = data;
  }

  Random random_;
  // Every bit of the input differs from the first layer's weights, and large kernels fit into it: the largest counts.
  bool opposite_;
  Map input_;
  std::vector<Layer> layers_;
  std::vector<Map> expected_;
  std::vector<int32_t> dots_;
  NbInput source_{};
  std::unique_ptr<Buffer<float>> memory_;
};

}  // namespace

int check_chains(int count, int first) {
  std::string names;
  for (int i = 0; const char* isa = nb_isa(i); ++i) {
    names += (i ? ", " : "") + std::string(isa);
    if (nb_peak(isa, 3, 9) <= 0 || nb_peak(isa, 3, 75) <= 0) return std::printf("nb_peak of %s did nothing\n", isa), 1;
  }
  for (int seed = first; seed < first + count; ++seed) {
    Case chain(seed);
    for (int i = 0; const char* isa = nb_isa(i); ++i)
      for (int threads : {1, 3}) {
        const std::string problem = chain.check(isa, threads);
        if (problem.empty()) continue;
        std::printf("chain %d on %s with %d threads: %s\n", seed, isa, threads, problem.c_str());
        chain.print();
        return 1;
      }
    if (seed % 3 == 0) nb_free_workspaces();
  }
  nb_free_workspaces();
  std::printf("%d random chains agree with plain loops on: %s; with 1 and 3 threads\n", count, names.c_str());
  return 0;
}
