// A brick's backward pass in training, what is element-wise: from the gradient of its output to those of z and of the shortcut.
//
// The gradient of z lies in a grid (signs.h): [N][length][out_channels], zeros in the gaps, and 32 floats that may be read.
#include "dispatch.h"
#include "parallel.h"
#include "signs.h"
#include "train.h"

// Grids of a convolution's output: [0] from row to row, [1] the length.
NB_API void nb_train_grid(const NbConv* conv, int64_t* sizes) {
  const Grid grid(*conv);
  sizes[0] = grid.pitch();
  sizes[1] = grid.length();
}

// 0; 1: no such instruction set. Sums over all pixels, [4][channels]: of d, the gradient of PReLU's input, of d * z, of the
// slope's gradient, and of the gradient itself.
NB_API int nb_train_reduce(const char* isa_name, int64_t pixels, int64_t channels, const NbTail* tail, const float* grad,
                           double* sums, int threads) {
  const Isa* isa = find_isa(isa_name);
  if (!isa) return 1;
  return guarded([&] {
    const RowParts parts(pixels, 4 * channels);
    std::vector<double> partial(parts.doubles());
    parallel_for(threads, parts.count(), [&](int part, int) {
      std::vector<float> run(4 * channels);
      parts.in_runs(part, [&](int64_t first, int64_t count) {
        TailRow row = tail_row(*tail, channels, first, count);
        row.grad = grad + first * channels;
        isa->training->reduce[tail->z_is_float](row, run.data());
        for (int64_t i = 0; i < 4 * channels; ++i) partial[part * 4 * channels + i] += run[i];
      });
    });
    parts.join(partial, sums);
  });
}

// Likewise. The gradient of z, terms[0] * d + terms[1] * z + terms[2], each a vector of channels, into a grid, and d itself into grad_shortcut, a map of
// shortcut_channels whose repetitions are added up.
NB_API int nb_train_spread(const char* isa_name, const NbConv* conv, const NbTail* tail, const float* grad, const float* terms,
                           float* grad_z, float* grad_shortcut, int threads) {
  const Isa* isa = find_isa(isa_name);
  if (!isa) return 1;
  const NbConv& c = *conv;
  const Grid grid(c);
  const int64_t channels = c.out_channels;
  parallel_for(threads, int(c.batch * c.out_height), [&](int index, int) {
    const int64_t image = index / c.out_height, y = index % c.out_height, first = index * c.out_width;
    TailRow row = tail_row(*tail, channels, first, c.out_width);
    row.grad = grad + first * channels;
    row.by_grad = terms;
    row.by_z = terms + channels;
    row.constant = terms + 2 * channels;
    float* const to = grad_z + (image * grid.length() + y * grid.pitch()) * channels;
    isa->training->gradient[tail->z_is_float](row, to, tail->shortcut ? grad_shortcut + first * tail->shortcut_channels : nullptr);
    std::fill(to + c.out_width * channels, to + grid.pitch() * channels, 0.f);
  });
  return 0;
}
