/* The average of all pixels, added row by row. */
static void average(const float *in, int32_t pixels, int32_t channels, float *out)
{
  int32_t c, i;
  for (c = 0; c < channels; ++c) {
    float sum = in[c];
    for (i = 1; i < pixels; ++i) sum = sum + in[i * channels + c];
    out[c] = sum / (float)pixels;
  }
}

static void run(const struct image *image, float *logits);

void network_classify(const uint8_t *pixels, float *logits)
{
  struct image image = {0, 0};
  image.bytes = pixels;
  run(&image, logits);
}

void network_classify_values(const float *values, float *logits)
{
  struct image image = {0, 0};
  image.values = values;
  run(&image, logits);
}
