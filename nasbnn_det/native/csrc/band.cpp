#include "band.h"

#include <algorithm>

namespace {

// Where the pixels of a band begin in a layer's output and in what its shortcut reads.
void place_pixels(const Plan& plan, const Pass& p, int i, const PixelTables& tables, bool dots, LayerTables& out) {
  const NbLayer& l = plan.layer(i);
  const bool head = i == p.first, last = i + 1 == p.last;
  const bool to_dots = dots && i + 1 == plan.count(), whole = l.output >= 0 || (last && p.output) || to_dots;
  const int64_t stride = whole && l.output < 0 && !to_dots ? p.output_stride : l.out_channels;
  for (int64_t pixel : whole ? tables.map : tables.position) out.out_at.push_back(pixel * stride);
  const bool made = l.in_channels > l.out_channels || (head && l.stride_h > 1);
  const int64_t channels = made ? std::min(l.in_channels, l.out_channels) : head ? p.input_stride : 0;
  for (int64_t pixel : made ? tables.position : tables.map) out.shortcut_at.push_back(pixel * channels);
}

}  // namespace

PixelTables make_tables(const Plan& plan, const Pass& p, int64_t images) {
  const NbLayer& l = plan.head(p);
  const int64_t image = l.binary ? plan.bit_image_stride(p) : l.in_channels * l.kernel_h * plan.padded_width(p);
  PixelTables t;
  // The rows of a map lie one after another, its images one map apart.
  for (int64_t i = 0; i < images; ++i)
    for (int64_t x = 0; x < p.out.width; ++x) {
      t.position.push_back(int64_t(t.position.size()));
      t.map.push_back(i * p.out.area() + x);
      t.head.push_back(i * image + x * l.stride_w * (l.binary ? words_of(l) : 1));
    }
  return t;
}

LayerTables prepare(const Plan& plan, const Pass& p, int i, const PixelTables& tables, bool dots) {
  LayerTables out;
  const NbLayer& l = plan.layer(i);
  const bool head = i == p.first;
  const int64_t per_group = l.in_channels / l.groups;
  place_pixels(plan, p, i, tables, dots, out);
  if (l.binary) {
    const int64_t words = words_of(l), row = head ? plan.bit_row_stride(p) : 0;
    for (int ky = 0; ky < l.kernel_h; ++ky)
      for (int kx = 0; kx < l.kernel_w; ++kx)
        for (int64_t w = 0; w < words; ++w)
          out.offsets.push_back(int32_t(ky * l.dilation_h * row + kx * l.dilation_w * words + w));
    if (!head) {
      out.base.assign(tiled_channels(l), 0.5f * float(per_group));
      out.bases.assign(tables.position.size(), out.base.data());
    }
  } else {  // a window [channels][kernel_h][width] is copied for each row of a first layer
    for (int64_t c = 0; c < per_group; ++c)
      for (int ky = 0; ky < l.kernel_h; ++ky)
        for (int kx = 0; kx < l.kernel_w; ++kx)
          out.offsets.push_back(int32_t(head ? (c * l.kernel_h + ky) * plan.padded_width(p) + kx * l.dilation_w : c));
  }
  if (i + 1 < plan.count() && plan.layer(i + 1).binary) {
    const int64_t outputs = l.out_channels / l.groups, tiled = ceil_div(outputs, kTile) * kTile;
    const float* shift = plan.layer(i + 1).sign_shift;
    out.threshold.assign(tiled_channels(l), 0.f);
    for (int64_t g = 0; g < l.groups; ++g, shift += outputs)
      for (int64_t c = 0; c < outputs; ++c) out.threshold[g * tiled + c] = -shift[c];
  }
  return out;
}

RowSizes row_sizes(const Plan& plan, const Pass& p, int64_t images) {
  const NbLayer& head = plan.head(p);
  const int64_t pixels = images * p.out.width, widest = p.widest;
  RowSizes s{pixels * widest, widest, 0, pixels * ceil_div(widest, 32) + 1, 0, 0, pixels};
  for (int i = p.first; i < p.last; ++i)
    s.grouped = std::max<int64_t>(s.grouped, plan.layer(i).groups * words_of(plan.layer(i)) * pixels);
  const int64_t border = std::min<int64_t>(p.out.width, 2 * (head.pad_w + head.kernel_w));
  if (head.binary) s.base = (border + 1) * tiled_channels(head);
  else s.window = images * head.in_channels * head.kernel_h * plan.padded_width(p);
  return s;
}

void make_bases(const Plan& plan, const Pass& p, int64_t from, int64_t to, Rows& rows) {
  const NbLayer& l = plan.head(p);
  const int64_t channels = tiled_channels(l), per_group = l.in_channels / l.groups, width = p.out.width;
  float* base = rows.base;
  std::fill_n(base, channels, 0.5f * float((to - from) * l.kernel_w * per_group));
  auto counts = [&](int64_t ky, int64_t kx) { return l.position_counts + (ky * (l.kernel_w + 1) + kx) * channels; };
  for (int64_t x = 0; x < width; ++x) {
    const int64_t left = x * l.stride_w - l.pad_w;
    int64_t first = 0, end = l.kernel_w;
    while (first < end && left + first * l.dilation_w < 0) ++first;
    while (end > first && left + (end - 1) * l.dilation_w >= p.in.width) --end;
    rows.bases[x] = rows.base;
    if (first == 0 && end == l.kernel_w) continue;
    rows.bases[x] = base += channels;
    const float half = 0.5f * float((to - from) * (end - first) * per_group);
    // Ones in all columns, less those inside; in a rectangle of positions they are a sum of four corners.
    const int32_t *whole = counts(to, l.kernel_w), *above = counts(from, l.kernel_w);
    const int32_t *right = counts(to, end), *above_right = counts(from, end);
    const int32_t *lower = counts(to, first), *above_left = counts(from, first);
    for (int64_t c = 0; c < channels; ++c)
      base[c] = half + float(whole[c] - above[c] - right[c] + above_right[c] + lower[c] - above_left[c]);
  }
  for (int64_t i = width; i < rows.pixels; i += width) std::copy_n(rows.bases, width, rows.bases + i);
}

void regroup(const uint32_t* natural, int64_t natural_words, int64_t pixels, int64_t left, int64_t right,
             const NbLayer& reader, uint32_t* out, int64_t group_stride) {
  const int64_t words = words_of(reader), channels = reader.in_channels / reader.groups;
  for (int g = 0; g < reader.groups; ++g) {
    uint32_t* row = out + g * group_stride;
    std::fill_n(row, left * words, 0u);
    row += left * words;
    std::fill_n(row + pixels * words, right * words, 0u);
    if (reader.groups == 1) {
      std::copy_n(natural, pixels * words, row);
      return;
    }
    for (int64_t w = 0; w < words; ++w) {
      const int64_t bit = g * channels + w * 32, n = std::min<int64_t>(32, channels - w * 32);
      const uint32_t* from = natural + bit / 32;
      for (int64_t p = 0; p < pixels; ++p, from += natural_words) {
        const uint64_t both = uint64_t(from[1]) << 32 | from[0];
        row[p * words + w] = uint32_t(both >> bit % 32) & ~0u >> (32 - n);
      }
    }
  }
}
