/* Layers of packed networks. Maps lie pixel after pixel, each with all its channels. Every float operation is rounded by
 * itself and in the packed runtime's order, so that both give the same bits; FLT_EVAL_METHOD must be 0, and compilers
 * must not contract a * b + c (-ffp-contract=off, which GCC's -std=c99 implies). */
#if FLT_EVAL_METHOD != 0
#error "floats must be computed in single precision: with GCC for x86, -msse2 -mfpmath=sse"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

enum { BINARY, INT8, FLOAT };

/* One convolution and what follows it: y = conv(x) * scale + shift, + shortcut(x), then PReLU and + bias_out. */
struct layer {
  const void *weight;       /* BINARY: a channel's bits, by kernel position and input channel, 1 is +1, in whole words;
                               INT8 and FLOAT: [out_channels][in_channels / groups][kernel_h][kernel_w] */
  const float *step;        /* INT8: what a channel's weights are multiples of */
  const float *threshold;   /* BINARY: the sign of input channel i is +1 where x >= threshold[i] */
  const float *scale, *shift;
  const float *slope;       /* 0: no activation */
  const float *bias_out;
  int32_t kind, in_channels, out_channels, groups;
  int32_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  int32_t shortcut;         /* 1: the input, averaged over strides, its channels repeated or folded, is added */
};

/* What the first layer reads: one of the two. */
struct image {
  const uint8_t *bytes;   /* blue, green, red of each pixel */
  const float *values;    /* the network's channels of each pixel, prepared */
};

#if defined(__GNUC__) && (defined(__POPCNT__) || defined(__aarch64__))
/* Bits in which two rows of words differ. */
static int32_t differing(const uint32_t *a, const uint32_t *b, int32_t words)
{
  int32_t count = 0;
  for (; words > 0; --words) count += __builtin_popcount(*a++ ^ *b++);
  return count;
}
#else
/* Ones in fields of 4 bits. */
static uint32_t count_in_fields(uint32_t x)
{
  x -= x >> 1 & 0x55555555u;
  return (x & 0x33333333u) + (x >> 2 & 0x33333333u);
}

/* Bits in which two rows of words differ. Three words at a time: a full adder leaves sums and carries, whose fields of 4 bits
 * hold at most 4 and 2 * 4; nine threes and two words more fit into fields of 8 bits. */
static int32_t differing(const uint32_t *a, const uint32_t *b, int32_t words)
{
  int32_t count = 0;
  while (words > 0) {
    const uint32_t *const end = a + (words > 29 ? 27 : words);
    uint32_t fields, total = 0;
    words -= (int32_t)(end - a);
    for (; a + 3 <= end; a += 3, b += 3) {
      const uint32_t x = a[0] ^ b[0], y = a[1] ^ b[1], z = a[2] ^ b[2], half = x ^ y;
      fields = count_in_fields(half ^ z) + (count_in_fields((x & y) | (half & z)) << 1);
      total += (fields & 0x0f0f0f0fu) + (fields >> 4 & 0x0f0f0f0fu);
    }
    if (a < end) {
      fields = count_in_fields(*a++ ^ *b++);
      if (a < end) fields += count_in_fields(*a++ ^ *b++);
      total += (fields & 0x0f0f0f0fu) + (fields >> 4 & 0x0f0f0f0fu);
    }
    total = (total & 0x00ff00ffu) + (total >> 8 & 0x00ff00ffu);
    count += (int32_t)((total + (total >> 16)) & 0xffffu);
  }
  return count;
}
#endif

/* The dot products of a group: a window of signs, of which `count` are inside the image, with each output's weights. `inside`
 * says which, 0 that all are; the window holds zeros outside, and `masked` has room for weights with zeros there. */
static void multiply(const uint32_t *window, const uint32_t *inside, int32_t words, int32_t count, const uint32_t *weight,
                     int32_t outputs, uint32_t *masked, int32_t *dots)
{
  int32_t i;
  for (; outputs > 0; --outputs, weight += words) {
    const uint32_t *seen = weight;
    if (inside) {
      for (i = 0; i < words; ++i) masked[i] = weight[i] & inside[i];
      seen = masked;
    }
    *dots++ = count - 2 * differing(window, seen, words);
  }
}

static void pack_signs(const float *x, const float *threshold, int32_t channels, uint32_t *words)
{
  int32_t i, bit;
  for (i = 0; i < channels; i += 32) {
    const int32_t count = channels - i < 32 ? channels - i : 32;
    uint32_t bits = 0;
    for (bit = 0; bit < count; ++bit) bits |= (uint32_t)(x[i + bit] >= threshold[i + bit]) << bit;
    *words++ = bits;
  }
}

/* Puts n bits of `from`, from bit `first` on, behind the `at` bits that `to` holds; all bits behind those are 0. */
static void append_bits(uint32_t *to, int32_t at, const uint32_t *from, int32_t first, int32_t n)
{
  while (n > 0) {
    const int32_t left = 32 - first % 32, room = 32 - at % 32;
    int32_t count = left < room ? left : room;
    uint32_t bits = from[first / 32] >> first % 32;
    if (n < count) count = n;
    if (count < 32) bits &= ((uint32_t)1 << count) - 1;
    to[at / 32] |= bits << at % 32;
    first += count;
    at += count;
    n -= count;
  }
}

static void append_ones(uint32_t *to, int32_t at, int32_t n)
{
  static const uint32_t all = 0xffffffffu;
  for (; n > 0; n -= 32, at += 32) append_bits(to, at, &all, 0, n < 32 ? n : 32);
}

static int32_t output_size(int32_t size, int32_t kernel, int32_t stride, int32_t pad, int32_t dilation)
{
  return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

static int is_pointwise(const struct layer *l)
{
  return l->kernel_h * l->kernel_w == 1 && l->stride_h * l->stride_w == 1 && l->pad_h + l->pad_w == 0;
}

/* What follows a convolution's sum in channel o, but for the shortcut. */
static float scaled(const struct layer *l, int32_t o, float sum)
{
  const float y = sum * l->scale[o];
  return y + l->shift[o];
}

static float activated(const struct layer *l, int32_t o, float y)
{
  if (!l->slope) return y;
  if (!(y > 0.0f)) y = y * l->slope[o];
  return y + l->bias_out[o];
}

/* What follows the dot products of all channels of a pixel; the shortcut's values repeat after `period`. */
static void finish_pixel(const struct layer *l, const int32_t *dots, const float *shortcut, int32_t period, float *out)
{
  int32_t o, from = 0;
  for (o = 0; o < l->out_channels; ++o) {
    float y = scaled(l, o, (float)dots[o]);
    if (shortcut) {
      y = y + shortcut[from];
      if (++from == period) from = 0;
    }
    out[o] = activated(l, o, y);
  }
}

/* The shortcut of output pixel (y, x): min(in_channels, out_channels) values, which repeat. `made` has room for both numbers of
 * channels where it is not the input's pixel itself. */
static const float *shortcut_of(const struct layer *l, const float *in, int32_t height, int32_t width, int32_t y, int32_t x,
                                float *made)
{
  const int32_t channels = l->in_channels, outputs = l->out_channels, stride = l->stride_h;
  const int32_t top = y * stride, left = x * stride;
  const int32_t rows = height - top < stride ? height - top : stride, columns = width - left < stride ? width - left : stride;
  const int32_t folds = (channels + outputs - 1) / outputs;
  const float *pixel = in + (top * width + left) * channels;
  int32_t i, f, c;
  if (stride > 1) {
    float *average = made + outputs;
    for (c = 0; c < channels; ++c) {
      float sum = pixel[c];
      for (i = 1; i < rows * columns; ++i) sum = sum + pixel[(i / columns * width + i % columns) * channels + c];
      average[c] = sum / (float)(rows * columns);
    }
    pixel = average;
  }
  if (folds == 1) {
    if (stride > 1 || channels == outputs) return pixel;
    memcpy(made, pixel, (size_t)channels * sizeof *made); /* `pixel` may be overwritten by a wider one */
    return made;
  }
  for (c = 0; c < outputs; ++c) {
    float sum = pixel[c];
    for (f = 1; f < folds; ++f) sum = sum + pixel[(f * outputs + c) % channels];
    made[c] = sum / (float)folds;
  }
  return made;
}

/* The bits that a kernel meets in a group, taps outside the image left at 0; returns how many are inside. `inside` marks
 * them where they are not all. */
static int32_t gather(const struct layer *l, const uint32_t *signs, int32_t height, int32_t width, int32_t y, int32_t x,
                      int32_t group, uint32_t *window, uint32_t *inside, int32_t words)
{
  const int32_t ins = l->in_channels / l->groups, pixel = (l->in_channels + 31) / 32;
  const int32_t top = y * l->stride_h - l->pad_h, left = x * l->stride_w - l->pad_w;
  const int32_t bottom = top + (l->kernel_h - 1) * l->dilation_h, right = left + (l->kernel_w - 1) * l->dilation_w;
  const int at_border = top < 0 || left < 0 || bottom >= height || right >= width;
  int32_t ky, kx, at = 0, count = 0;
  memset(window, 0, (size_t)words * sizeof *window);
  if (at_border) memset(inside, 0, (size_t)words * sizeof *inside);
  for (ky = top; ky <= bottom; ky += l->dilation_h)
    for (kx = left; kx <= right; kx += l->dilation_w, at += ins) {
      if (ky < 0 || ky >= height || kx < 0 || kx >= width) continue;
      append_bits(window, at, signs + (ky * width + kx) * pixel, group * ins, ins);
      if (at_border) append_ones(inside, at, ins);
      count += ins;
    }
  return count;
}

/* A binary layer. `words` has room for the signs (of the map, or of a pixel where the kernel is one), three windows and a
 * pixel's dot products, `made` for what shortcut_of makes. `out` may be `in`, but for a shortcut that strides and becomes wider. */
static void binary_layer(const struct layer *l, const float *in, int32_t height, int32_t width, float *out, uint32_t *words,
                         float *made)
{
  const int32_t out_h = output_size(height, l->kernel_h, l->stride_h, l->pad_h, l->dilation_h);
  const int32_t out_w = output_size(width, l->kernel_w, l->stride_w, l->pad_w, l->dilation_w), pixels = out_h * out_w;
  const int32_t bits = l->in_channels / l->groups * l->kernel_h * l->kernel_w, outputs = l->out_channels / l->groups;
  const int32_t length = (bits + 31) / 32, pixel = (l->in_channels + 31) / 32, pointwise = is_pointwise(l);
  const int32_t backwards = l->out_channels > l->in_channels;
  uint32_t *const window = words + (pointwise ? 1 : height * width) * pixel, *const inside = window + length;
  uint32_t *const masked = inside + length;
  int32_t *const dots = (int32_t *)(masked + length);
  int32_t i, n, g;
  if (!pointwise)
    for (i = 0; i < height * width; ++i) pack_signs(in + i * l->in_channels, l->threshold, l->in_channels, words + i * pixel);
  for (n = 0; n < pixels; ++n) {
    const int32_t at = backwards ? pixels - 1 - n : n, y = at / out_w, x = at % out_w;
    const float *const shortcut = l->shortcut ? shortcut_of(l, in, height, width, y, x, made) : 0;
    const uint32_t *weight = (const uint32_t *)l->weight;
    if (pointwise) pack_signs(in + at * l->in_channels, l->threshold, l->in_channels, words);
    for (g = 0; g < l->groups; ++g, weight += outputs * length) {
      if (pointwise && l->groups == 1) {
        multiply(words, 0, length, bits, weight, outputs, masked, dots);
      } else {
        const int32_t count = pointwise ? gather(l, words, 1, 1, 0, 0, g, window, inside, length)
                                        : gather(l, words, height, width, y, x, g, window, inside, length);
        multiply(window, count == bits ? 0 : inside, length, count, weight, outputs, masked, dots + g * outputs);
      }
    }
    finish_pixel(l, dots, shortcut, l->in_channels, out + at * l->out_channels);
  }
}

/* Value of channel c at a pixel of what a layer of real weights reads. */
static float read_value(const struct image *image, const float *in, int32_t channels, int32_t pixel, int32_t c)
{
  if (!image) return in[pixel * channels + c];
  if (image->values) return image->values[pixel * channels + c];
  return prepared[c][image->bytes[pixel * channels + byte_of[c]]];
}

/* A layer of real weights. It reads `image`, or `in` if that is 0. `made` has room for a channel's weights and the windows of
 * a row. */
static void real_layer(const struct layer *l, const struct image *image, const float *in, int32_t height, int32_t width,
                       float *out, float *made)
{
  const int32_t out_h = output_size(height, l->kernel_h, l->stride_h, l->pad_h, l->dilation_h);
  const int32_t out_w = output_size(width, l->kernel_w, l->stride_w, l->pad_w, l->dilation_w);
  const int32_t ins = l->in_channels / l->groups, outs = l->out_channels / l->groups;
  const int32_t length = ins * l->kernel_h * l->kernel_w, row = length * l->groups;
  float *const weight = made, *const windows = made + length;
  int32_t y, x, c, ky, kx, o, k;
  for (y = 0; y < out_h; ++y, out += out_w * l->out_channels) {
    const float *seen = windows;
    if (!image && is_pointwise(l)) seen = in + y * width * l->in_channels;
    else
      for (x = 0; x < out_w; ++x) {
        float *to = windows + x * row;
        for (c = 0; c < l->in_channels; ++c)
          for (ky = 0; ky < l->kernel_h; ++ky)
            for (kx = 0; kx < l->kernel_w; ++kx) {
              const int32_t from_y = y * l->stride_h - l->pad_h + ky * l->dilation_h;
              const int32_t from_x = x * l->stride_w - l->pad_w + kx * l->dilation_w;
              const int outside = from_y < 0 || from_y >= height || from_x < 0 || from_x >= width;
              *to++ = outside ? 0.0f : read_value(image, in, l->in_channels, from_y * width + from_x, c);
            }
      }
    for (o = 0; o < l->out_channels; ++o) {
      const int32_t at = o / outs * length;
      if (l->kind == INT8)
        for (k = 0; k < length; ++k) weight[k] = (float)((const int8_t *)l->weight)[o * length + k] * l->step[o];
      else
        for (k = 0; k < length; ++k) weight[k] = ((const float *)l->weight)[o * length + k];
      for (x = 0; x < out_w; ++x) {
        const float *values = seen + x * row + at;
        float sum = 0.0f;
        for (k = 0; k < length; ++k) sum = sum + weight[k] * values[k];
        out[x * l->out_channels + o] = activated(l, o, scaled(l, o, sum));
      }
    }
  }
}
