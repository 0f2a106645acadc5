/* A map, enlarged by nearest neighbours where `rows` and `columns` say which, plus another; `out` may be the other. */
static void add(const float *first, int32_t first_width, const uint16_t *rows, const uint16_t *columns, const float *second,
                int32_t height, int32_t width, int32_t channels, float *out)
{
  int32_t y, x, c;
  for (y = 0; y < height; ++y)
    for (x = 0; x < width; ++x, second += channels, out += channels) {
      const float *from = first + ((rows ? rows[y] : y) * first_width + (columns ? columns[x] : x)) * channels;
      for (c = 0; c < channels; ++c) out[c] = from[c] + second[c];
    }
}

/* e to the power of x within two units in the last place, in single precision throughout, so that every machine gives the
 * same bits: x = n * ln 2 + r, where |r| <= ln 2 / 2, and e^r by its series. */
static float exponential(float x)
{
  /* ln 2 in two parts; n times the first is exact */
  static const float high = 0.693359375f, low = -2.12194440e-4f, per_ln2 = 1.44269504f;
  uint32_t bits;
  float r, sum, half;
  int32_t n, part;
  if (!(x > -104.0f)) return 0.0f;
  if (x > 89.0f) x = 89.0f;
  n = (int32_t)(x * per_ln2 + (x < 0.0f ? -0.5f : 0.5f));
  r = x - (float)n * high;
  r = r - (float)n * low;
  sum = 1.0f / 5040.0f;
  sum = sum * r + 1.0f / 720.0f;
  sum = sum * r + 1.0f / 120.0f;
  sum = sum * r + 1.0f / 24.0f;
  sum = sum * r + 1.0f / 6.0f;
  sum = sum * r + 0.5f;
  sum = sum * r * r;
  sum = sum + r;
  sum = sum + 1.0f;
  /* times 2^n in two steps, of which each is a float */
  part = n / 2;
  bits = (uint32_t)(127 + part) << 23;
  memcpy(&half, &bits, sizeof half);
  sum = sum * half;
  bits = (uint32_t)(127 + n - part) << 23;
  memcpy(&half, &bits, sizeof half);
  return sum * half;
}

static float sigmoid(float x)
{
  return 1.0f / (1.0f + exponential(-x));
}

/* What is above the threshold: score and code, which tells level, point and class and orders equal scores. */
struct candidates {
  float *scores;
  uint32_t *codes;
  int32_t count;
};

static int is_better(const struct candidates *all, int32_t a, int32_t b)
{
  return all->scores[a] > all->scores[b] || (all->scores[a] == all->scores[b] && all->codes[a] < all->codes[b]);
}

static void swap(struct candidates *all, int32_t a, int32_t b)
{
  const float score = all->scores[a];
  const uint32_t code = all->codes[a];
  all->scores[a] = all->scores[b];
  all->codes[a] = all->codes[b];
  all->scores[b] = score;
  all->codes[b] = code;
}

/* Restores a heap of `count` candidates from `begin` on, whose root is the worst, below place `at`. */
static void sink(struct candidates *all, int32_t begin, int32_t count, int32_t at)
{
  for (;;) {
    int32_t child = 2 * at + 1;
    if (child >= count) return;
    if (child + 1 < count && is_better(all, begin + child, begin + child + 1)) ++child;
    if (!is_better(all, begin + at, begin + child)) return;
    swap(all, begin + at, begin + child);
    at = child;
  }
}

static void make_heap(struct candidates *all, int32_t begin, int32_t count)
{
  int32_t i;
  for (i = count / 2 - 1; i >= 0; --i) sink(all, begin, count, i);
}

/* Takes the best of a level, at most `most`, whose codes begin at `code`. */
static void collect(struct candidates *all, const float *logits, int32_t values, int32_t most, uint32_t code)
{
  const int32_t begin = all->count;
  int32_t i, count = 0;
  for (i = 0; i < values; ++i) {
    if (!(logits[i] > LOWEST_LOGIT)) continue;
    if (count < most) {
      all->scores[begin + count] = sigmoid(logits[i]);
      all->codes[begin + count] = code + (uint32_t)i;
      if (++count == most) make_heap(all, begin, count);
    } else {
      /* Equal scores stay as they came: a later one is worse. */
      const float score = sigmoid(logits[i]);
      if (!(score > all->scores[begin])) continue;
      all->scores[begin] = score;
      all->codes[begin] = code + (uint32_t)i;
      sink(all, begin, count, 0);
    }
  }
  all->count = begin + count;
}

static void sort_best_first(struct candidates *all)
{
  int32_t left;
  make_heap(all, 0, all->count);
  for (left = all->count - 1; left > 0; --left) {
    swap(all, 0, left);
    sink(all, 0, left, 0);
  }
}

static float clamp(float x, float high)
{
  return x < 0.0f ? 0.0f : x > high ? high : x;
}

/* A level's part of the codes, and the logarithms of the distances to the four sides. */
struct level {
  uint32_t code;
  int32_t width;
  float stride;
  const float *distances;
};

static void decode(const struct level *level, uint32_t code, float score, struct network_detection *box)
{
  const int32_t place = (int32_t)(code - level->code), point = place / NETWORK_CLASSES;
  const float *side = level->distances + 4 * point;
  const float x = ((float)(point % level->width) + POINT_OFFSET) * level->stride;
  const float y = ((float)(point / level->width) + POINT_OFFSET) * level->stride;
  box->x1 = clamp(x - exponential(side[0]) * level->stride, (float)NETWORK_WIDTH);
  box->y1 = clamp(y - exponential(side[1]) * level->stride, (float)NETWORK_HEIGHT);
  box->x2 = clamp(x + exponential(side[2]) * level->stride, (float)NETWORK_WIDTH);
  box->y2 = clamp(y + exponential(side[3]) * level->stride, (float)NETWORK_HEIGHT);
  box->score = score;
  box->label = place % NETWORK_CLASSES;
}

/* Whether a candidate overlaps a kept box of its class too much; in double precision. */
static int is_suppressed(const struct network_detection *box, const struct network_detection *kept)
{
  const double left = kept->x1 > box->x1 ? kept->x1 : box->x1, right = kept->x2 < box->x2 ? kept->x2 : box->x2;
  const double top = kept->y1 > box->y1 ? kept->y1 : box->y1, bottom = kept->y2 < box->y2 ? kept->y2 : box->y2;
  double both, areas;
  if (box->label != kept->label || !(right > left) || !(bottom > top)) return 0;
  both = (right - left) * (bottom - top);
  areas = ((double)kept->x2 - kept->x1) * ((double)kept->y2 - kept->y1) +
          ((double)box->x2 - box->x1) * ((double)box->y2 - box->y1);
  return both / (areas - both) > IOU_THRESHOLD;
}

/* Non-maximum suppression within classes. */
static int32_t select_boxes(struct candidates *all, const struct level *levels, struct network_detection *found)
{
  int32_t i, k, kept = 0, count = 0;
  sort_best_first(all);
  for (i = 0; i < all->count && kept < NETWORK_MAX_DETECTIONS; ++i) {
    struct network_detection *box = found + kept;
    int32_t level = LEVELS - 1;
    while (all->codes[i] < levels[level].code) --level;
    decode(levels + level, all->codes[i], all->scores[i], box);
    if (!(box->x2 - box->x1 > MIN_SIDE && box->y2 - box->y1 > MIN_SIDE) && MIN_SIDE >= 0.0f) continue;
    for (k = 0; k < kept && !is_suppressed(box, found + k); ++k) {}
    if (k == kept) ++kept;
  }
  for (i = 0; i < kept; ++i) /* boxes without an area end here */
    if (found[i].x2 > found[i].x1 && found[i].y2 > found[i].y1) found[count++] = found[i];
  return count;
}

static int32_t run(const struct image *image, struct network_detection *found);

int32_t network_detect(const uint8_t *pixels, struct network_detection *found)
{
  struct image image = {0, 0};
  image.bytes = pixels;
  return run(&image, found);
}

int32_t network_detect_values(const float *values, struct network_detection *found)
{
  struct image image = {0, 0};
  image.values = values;
  return run(&image, found);
}
