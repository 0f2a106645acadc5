// Runs a chain of layers, pass by pass. Between passes live one float map and one bit map.
#include <algorithm>

#include "band.h"
#include "dispatch.h"
#include "parallel.h"
#include "plan.h"

namespace {

constexpr int64_t kBand = 40;  // pixels a worker computes at once, from several images where rows are shorter

class Runner {
 public:
  Runner(const Plan& plan, const NbInput& input, float* const* outputs, Accumulators wanted, Workers workers,
         const Isa& isa, Workspace& space)
      : plan_(plan), input_(input), outputs_(outputs), wanted_(wanted), workers_(workers), threads_(workers.threads),
        isa_(isa), space_(space), sums_(wanted.sums ? 2 * tiled_channels(last_layer()) * threads_ : 0) {}

  void run() {
    const auto& passes = plan_.passes();
    if (plan_.layer(0).binary) pack_input(passes[0]);
    for (size_t i = 0; i < passes.size(); ++i) run_pass(passes[i], i + 1 < passes.size() ? &passes[i + 1] : nullptr);
    if (wanted_.sums) add_up();
  }

 private:
  void pack_input(const Pass& p) {
    const NbLayer& l = plan_.layer(0);
    const int64_t natural = ceil_div(l.in_channels, 32), row = p.in.width * natural + 1;
    uint32_t* scratch = space_.workers.get<uint32_t>(row * threads_);
    parallel_for(workers_, int(input_.batch * p.in.height), [&](int index, int worker) {
      uint32_t* words = scratch + worker * row;
      const float* x = p.input + int64_t(index) * p.in.width * l.in_channels;
      for (int64_t i = 0; i < p.in.width; ++i)
        isa_.pack_pixel(x + i * l.in_channels, l.sign_shift, l.in_channels, words + i * natural);
      regroup(words, natural, p.in.width, l.pad_w, plan_.right_pad(p), l,
              plan_.bit_row(p, index / p.in.height, index % p.in.height), plan_.bit_group_stride(p));
    });
  }

  const NbLayer& last_layer() const { return plan_.layer(plan_.count() - 1); }

  // The workers' sums of the last layer, out of their tiles.
  void add_up() const {
    const NbLayer& l = last_layer();
    const int64_t outputs = l.out_channels / l.groups, tiled = ceil_div(outputs, kTile) * kTile;
    std::fill_n(wanted_.sums, 2 * l.out_channels, 0);
    for (int64_t part = 0; part < 2 * threads_; ++part)
      for (int64_t c = 0; c < l.out_channels; ++c)
        wanted_.sums[part % 2 * l.out_channels + c] += sums_[part * tiled_channels(l) + c / outputs * tiled + c % outputs];
  }

  void run_pass(const Pass& p, const Pass* next) {
    // As many images at once as fill a band, as long as every worker gets some bands.
    int64_t images = std::min(input_.batch, ceil_div(kBand, p.out.width));
    while (images > 1 && p.out.height * ceil_div(input_.batch, images) < 4 * threads_) images = (images + 1) / 2;
    const PixelTables tables = make_tables(plan_, p, images);
    std::vector<LayerTables> prepared;
    for (int i = p.first; i < p.last; ++i) prepared.push_back(prepare(plan_, p, i, tables, wanted_.dots != nullptr));
    const RowSizes sizes = row_sizes(plan_, p, images);
    char* memory = space_.workers.get<char>(sizes.bytes() * threads_);
    std::vector<Rows> workers;
    for (int t = 0; t < threads_; ++t) workers.push_back(sizes.carve(memory + t * sizes.bytes()));
    parallel_for(workers_, int(p.out.height * ceil_div(input_.batch, images)), [&](int index, int worker) {
      const int64_t image = index / p.out.height * images;
      run_band(p, next, prepared, tables, workers[worker], worker, image, std::min(images, input_.batch - image),
               index % p.out.height);
    });
  }

  // Row y of some images, through all layers of a pass.
  void run_band(const Pass& p, const Pass* next, const std::vector<LayerTables>& prepared, const PixelTables& tables, Rows& rows,
                int worker, int64_t image, int64_t images, int64_t y) {
    const int64_t width = p.out.width, row_pixel = (image * p.out.height + y) * width;
    const float* map = nullptr;       // what the layer before this one left
    const int64_t* map_at = nullptr;
    const uint32_t* signs = nullptr;  // likewise, natural order
    for (int i = p.first; i < p.last; ++i) {
      const NbLayer& l = plan_.layer(i);
      const LayerTables& ready = prepared[i - p.first];
      const bool head = i == p.first, last = i + 1 == p.last;
      Row row{};
      row.groups = l.groups;
      row.out_per_group = l.out_channels / l.groups;
      row.pixels = int(images * width);
      row.epilogue = {l.scale, l.shift, l.slope, l.bias_out, nullptr};
      row.offsets = ready.offsets.data();
      row.values = int64_t(ready.offsets.size());
      row.weight = l.weight;
      row.tile_stride = row.values * kTile;
      row.base = head ? rows.bases : ready.bases.data();
      row.inputs = head ? tables.head.data() : rows.inputs;
      row.out_at = ready.out_at.data();
      if (!head) point_input(l, map, map_at, signs, rows, row);
      else if (l.binary) binary_head(p, rows, image, y, row);
      else float_head(p, rows, image, images, y, row);
      const bool accumulators = (wanted_.dots || wanted_.sums) && i + 1 == plan_.count();
      if (wanted_.dots && accumulators) row.dots = wanted_.dots + row_pixel * l.out_channels;
      if (wanted_.sums && accumulators) row.sums = sums_.data() + worker * 2 * tiled_channels(l);
      if (l.shortcut && !accumulators) {
        row.shortcut_channels = std::min(l.in_channels, l.out_channels);
        row.shortcut_at = ready.shortcut_at.data();
        if (head) head_shortcut(p, rows, image, images, y, row);
        else point_shortcut(l, map, map_at, rows, row);
      }

      if (l.output >= 0) row.out = outputs_[l.output] + row_pixel * l.out_channels;
      else if (last && p.output) row.out = p.output + row_pixel * p.output_stride;
      else if (!last && plan_.is_read(i)) row.out = map == rows.maps[0] ? rows.maps[1] : rows.maps[0];
      row.out_in_map = row.out && (l.output >= 0 || last);
      row.shortcut_in_map = head && row.shortcut && row.shortcut != rows.shortcut;
      const bool writes_signs = !ready.threshold.empty();
      if (writes_signs) {
        row.epilogue.threshold = ready.threshold.data();
        row.sign_words = ceil_div(l.out_channels, 32);
        row.signs = signs == rows.natural[0] ? rows.natural[1] : rows.natural[0];
      }
      (l.binary ? isa_.binary_row : isa_.float_row)(row);
      if (writes_signs && last)
        for (int64_t n = 0; n < images; ++n)
          regroup(row.signs + n * width * row.sign_words, row.sign_words, width, plan_.head(*next).pad_w,
                  plan_.right_pad(*next), plan_.head(*next), plan_.bit_row(*next, image + n, y),
                  plan_.bit_group_stride(*next));
      map = row.out;
      map_at = row.out_at;
      signs = row.signs;
    }
  }

  // Input of a 1 x 1 layer inside a pass: what the layer before it left.
  void point_input(const NbLayer& l, const float* map, const int64_t* map_at, const uint32_t* signs, Rows& rows,
                   Row& row) const {
    if (!l.binary) {
      row.input = map;
      row.group_stride = l.in_channels / l.groups;
      row.inputs = map_at;
      return;
    }
    const int64_t words = words_of(l);
    row.group_stride = row.pixels * words;
    row.input = signs;
    if (l.groups > 1) {
      regroup(signs, ceil_div(l.in_channels, 32), row.pixels, 0, 0, l, rows.grouped, row.group_stride);
      row.input = rows.grouped;
    }
    for (int p = 0; p < row.pixels; ++p) rows.inputs[p] = p * words;
  }

  void binary_head(const Pass& p, Rows& rows, int64_t image, int64_t y, Row& row) const {
    const NbLayer& l = plan_.head(p);
    const int64_t words = words_of(l), top = y * l.stride_h - l.pad_h;
    // Kernel rows inside the image; those outside are left out.
    int64_t from = 0, to = l.kernel_h;
    while (from < to && top + from * l.dilation_h < 0) ++from;
    while (to > from && top + (to - 1) * l.dilation_h >= p.in.height) --to;
    row.values = (to - from) * l.kernel_w * words;
    row.weight = static_cast<const uint32_t*>(l.weight) + from * l.kernel_w * words * kTile;
    row.input = plan_.bit_row(p, image, from < to ? top + from * l.dilation_h : 0);
    row.group_stride = plan_.bit_group_stride(p);
    if (from != rows.from || to != rows.to) make_bases(plan_, p, from, to, rows);
    rows.from = from;
    rows.to = to;
  }

  void float_head(const Pass& p, Rows& rows, int64_t image, int64_t images, int64_t y, Row& row) const {
    const NbLayer& l = plan_.head(p);
    const NbInput in = p.first == 0 ? input_ : map_input(p);
    const int64_t width = plan_.padded_width(p);
    float* out = rows.window;
    for (int64_t n = image; n < image + images; ++n)
      for (int64_t c = 0; c < l.in_channels; ++c)
        for (int ky = 0; ky < l.kernel_h; ++ky, out += width) {
          const int64_t from = y * l.stride_h - l.pad_h + ky * l.dilation_h;
          std::fill_n(out, width, 0.f);
          if (from < 0 || from >= in.height) continue;
          const float* x = in.data + n * in.stride_n + c * in.stride_c + from * in.stride_h;
          if (in.stride_w == 1) std::copy_n(x, in.width, out + l.pad_w);
          else for (int64_t i = 0; i < in.width; ++i) out[l.pad_w + i] = x[i * in.stride_w];
        }
    row.input = rows.window;
    row.group_stride = l.in_channels / l.groups * l.kernel_h * width;
  }

  NbInput map_input(const Pass& p) const {
    const int64_t row = p.in.width * p.input_stride;
    return {p.input, input_.batch, plan_.head(p).in_channels, p.in.height, p.in.width, p.in.height * row, 1, row,
            p.input_stride};
  }

  // The input itself where nothing is pooled or folded; channels are repeated where they are read.
  void head_shortcut(const Pass& p, Rows& rows, int64_t image, int64_t images, int64_t y, Row& row) const {
    const NbLayer& l = plan_.head(p);
    const int64_t top = y * l.stride_h;
    const float* x = p.input + (image * p.in.height + top) * p.in.width * p.input_stride;
    row.shortcut = x;
    if (l.stride_h == 1 && l.in_channels <= l.out_channels) return;
    for (int64_t n = 0; n < images; ++n)
      isa_.shortcut_row(x + n * p.in.area() * p.input_stride, p.input_stride,
                         int(std::min<int64_t>(l.stride_h, p.in.height - top)), int(p.in.width), l.in_channels, l.stride_h,
                         int(p.out.width), l.out_channels, int(ceil_div(l.in_channels, l.out_channels)), rows.pixel,
                         rows.shortcut + n * p.out.width * row.shortcut_channels);
    row.shortcut = rows.shortcut;
  }

  void point_shortcut(const NbLayer& l, const float* map, const int64_t* map_at, Rows& rows, Row& row) const {
    if (l.in_channels <= l.out_channels) {
      row.shortcut = map;
      row.shortcut_at = map_at;
      return;
    }
    for (int p = 0; p < row.pixels; ++p)
      isa_.shortcut_row(map + map_at[p], 0, 1, 1, l.in_channels, 1, 1, l.out_channels,
                         int(ceil_div(l.in_channels, l.out_channels)), rows.pixel, rows.shortcut + p * l.out_channels);
    row.shortcut = rows.shortcut;
  }

  const Plan& plan_;
  NbInput input_;
  float* const* outputs_;
  Accumulators wanted_;
  Workers workers_;
  int threads_;
  const Isa& isa_;
  Workspace& space_;
  std::vector<int64_t> sums_;  // each worker's own
};

}  // namespace

void run_chain(const NbLayer* layers, int count, const NbInput& input, float* const* outputs, Accumulators wanted,
               Workers workers, const Isa& isa, Workspace& space) {
  workers.threads = std::max(workers.threads, 1);
  const Plan plan(layers, count, input, outputs, space);
  Runner(plan, input, outputs, wanted, workers, isa, space).run();
}
