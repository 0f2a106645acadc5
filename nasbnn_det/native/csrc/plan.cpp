#include "plan.h"

#include <algorithm>

namespace {

bool is_pointwise(const NbLayer& l) {
  return l.kernel_h == 1 && l.kernel_w == 1 && l.stride_h == 1 && l.stride_w == 1 && l.pad_h == 0 && l.pad_w == 0;
}

int64_t out_size(int64_t size, int kernel, int stride, int pad, int dilation) {
  return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

struct Positions {
  int from, to, pad;
};

// The positions of a kernel, along one side, that meet a pixel anywhere on a small map; all where cropping has no use.
Positions useful_positions(int kernel, int stride, int pad, int dilation, int64_t in, int64_t out) {
  const Positions all{0, kernel, pad};
  if (in > int64_t(dilation) * (kernel - 1)) return all;
  auto meets = [&](int position) {
    for (int64_t i = 0; i < out; ++i) {
      const int64_t at = i * stride - pad + position * dilation;
      if (at >= 0 && at < in) return true;
    }
    return false;
  };
  Positions found = all;
  while (found.from < found.to && !meets(found.from)) ++found.from;
  while (found.to > found.from && !meets(found.to - 1)) --found.to;
  found.pad = pad - found.from * dilation;
  return found.from < found.to && found.pad >= 0 ? found : all;
}

}  // namespace

Plan::Plan(const NbLayer* layers, int count, const NbInput& input, float* const* outputs, Workspace& space)
    : layers_(layers, layers + count), size_{input.height, input.width}, batch_(input.batch) {
  group();
  place(input, outputs, space);
}

bool Plan::is_read(int i) const {
  if (layers_[i].output >= 0) return true;
  return i + 1 < count() && (layers_[i + 1].shortcut || !layers_[i + 1].binary);
}

void Plan::group() {
  for (int i = 0; i < count(); ++i) {
    NbLayer& l = layers_[i];
    if (i > 0 && is_pointwise(l)) {
      passes_.back().last = i + 1;
      passes_.back().widest = std::max<int64_t>({passes_.back().widest, l.in_channels, tiled_channels(l)});
      continue;
    }
    const Size out{out_size(size_.height, l.kernel_h, l.stride_h, l.pad_h, l.dilation_h),
                   out_size(size_.width, l.kernel_w, l.stride_w, l.pad_w, l.dilation_w)};
    if (l.binary) crop(l, size_, out);
    passes_.push_back({i, i + 1, size_, out, std::max<int64_t>(l.in_channels, tiled_channels(l))});
    size_ = out;
  }
}

void Plan::crop(NbLayer& l, Size in, Size out) {
  const Positions rows = useful_positions(l.kernel_h, l.stride_h, l.pad_h, l.dilation_h, in.height, out.height);
  const Positions columns = useful_positions(l.kernel_w, l.stride_w, l.pad_w, l.dilation_w, in.width, out.width);
  const int kernel_h = rows.to - rows.from, kernel_w = columns.to - columns.from;
  if (kernel_h == l.kernel_h && kernel_w == l.kernel_w) return;
  const int64_t row = words_of(l) * kTile, channels = tiled_channels(l);
  std::vector<int32_t> weight;
  const int32_t* from = static_cast<const int32_t*>(l.weight);
  for (int64_t tile = 0; tile < channels / kTile; ++tile)
    for (int y = rows.from; y < rows.to; ++y) {
      const int32_t* begin = from + ((tile * l.kernel_h + y) * l.kernel_w + columns.from) * row;
      weight.insert(weight.end(), begin, begin + kernel_w * row);
    }
  std::vector<int32_t> counts;
  auto inside = [&](int y, int x) { return l.position_counts + (int64_t(y) * (l.kernel_w + 1) + x) * channels; };
  for (int y = rows.from; y <= rows.to; ++y)
    for (int x = columns.from; x <= columns.to; ++x)
      for (int64_t c = 0; c < channels; ++c)
        counts.push_back(inside(y, x)[c] - inside(rows.from, x)[c] - inside(y, columns.from)[c] +
                         inside(rows.from, columns.from)[c]);
  owned_.push_back(std::move(weight));
  l.weight = owned_.back().data();
  owned_.push_back(std::move(counts));
  l.position_counts = owned_.back().data();
  l.kernel_h = kernel_h;
  l.kernel_w = kernel_w;
  l.pad_h = rows.pad;
  l.pad_w = columns.pad;
}

// Can a pass write its output over its input? Each row is read before its last layer writes it; where the output is
// wider, a layer before the last must have done the reading.
bool Plan::fits_in_place(const Pass& p) const {
  const int in = head(p).in_channels, out = layers_[p.last - 1].out_channels;
  return p.in.height == p.out.height && p.in.width == p.out.width && head(p).binary &&
         (in == out || (in < out && p.last - p.first > 1));
}

// A map lives in an output tensor, in place of its pass's input, or in the other of two blocks. Maps in the same place
// have the pixel stride of the widest one.
void Plan::place(const NbInput& input, float* const* outputs, Workspace& space) {
  const bool channels_last = input.stride_c == 1 && input.stride_w == input.channels &&
                             input.stride_h == input.width * input.channels &&
                             input.stride_n == input.height * input.stride_h;
  const int count = int(passes_.size());
  std::vector<int> blocks(count, -1);  // of each pass's output; -1: not ours
  std::vector<int64_t> strides(count);
  int64_t sizes[2] = {0, 0}, bit_sizes[2] = {0, 0};
  auto is_ours = [&](int i) { return is_read(passes_[i].last - 1) && layers_[passes_[i].last - 1].output < 0; };
  for (int i = 0, end; i < count; i = end) {
    end = i + 1;
    strides[i] = layers_[passes_[i].last - 1].out_channels;
    if (!is_ours(i)) continue;
    while (end < count && is_ours(end) && fits_in_place(passes_[end])) {
      strides[i] = std::max<int64_t>(strides[i], layers_[passes_[end].last - 1].out_channels);
      ++end;
    }
    const int block = i > 0 && blocks[i - 1] == 0 ? 1 : 0;
    std::fill(blocks.begin() + i, blocks.begin() + end, block);
    std::fill(strides.begin() + i, strides.begin() + end, strides[i]);
    sizes[block] = std::max(sizes[block], batch_ * passes_[i].out.area() * strides[i]);
  }
  for (int i = 0; i < count; ++i)
    if (head(passes_[i]).binary) bit_sizes[i % 2] = std::max(bit_sizes[i % 2], batch_ * bit_image_stride(passes_[i]));
  float* maps[2] = {space.maps[0].get<float>(sizes[0]), space.maps[1].get<float>(sizes[1])};
  uint32_t* bits[2] = {space.bits[0].get<uint32_t>(bit_sizes[0]), space.bits[1].get<uint32_t>(bit_sizes[1])};
  for (int i = 0; i < count; ++i) {
    Pass& p = passes_[i];
    const NbLayer& last = layers_[p.last - 1];
    p.input = i ? passes_[i - 1].output : channels_last ? input.data : nullptr;
    p.input_stride = i ? passes_[i - 1].output_stride : input.channels;
    p.output = last.output >= 0 ? outputs[last.output] : blocks[i] >= 0 ? maps[blocks[i]] : nullptr;
    p.output_stride = strides[i];
    p.bits = bits[i % 2];
  }
}
