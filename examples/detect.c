/* Finds objects in a picture by a packed detector, and prints them: class, score, corners in pixels. Of a packed classifier it
   prints every class and its probability.

   cc -I nasbnn_det/native/include examples/detect.c libnasbnn_kernels.so -o detect
   ./detect detector.safetensors picture.ppm 0.3
   ./detect classifier.safetensors picture.ppm

   The library comes of `python nasbnn_det/native/build.py .`; other formats become PPM by `convert picture.jpg picture.ppm`. */
#include <stdio.h>
#include <stdlib.h>

#include "nasbnn_det.h"

/* A binary PPM as BGR; null if it can't be read. */
static uint8_t *read_ppm(const char *path, int *width, int *height) {
  FILE *file = fopen(path, "rb");
  uint8_t *pixels = NULL;
  int depth = 0;
  if (!file) return NULL;
  if (fscanf(file, "P6 %6d %6d %3d", width, height, &depth) == 3 && depth == 255 && *width > 0 && *height > 0 &&
      fgetc(file) != EOF) {
    const size_t bytes = (size_t)*width * (size_t)*height * 3;
    pixels = malloc(bytes);
    if (pixels && fread(pixels, 1, bytes, file) != bytes) {
      free(pixels);
      pixels = NULL;
    }
    for (size_t i = 0; pixels && i < bytes; i += 3) {
      const uint8_t red = pixels[i];
      pixels[i] = pixels[i + 2];
      pixels[i + 2] = red;
    }
  }
  fclose(file);
  return pixels;
}

/* Returns how many boxes there are, or the negative status. */
static int print_boxes(const nasbnn_det *network, const uint8_t *pixels, int width, int height, float lowest) {
  const int room = nasbnn_det_max_boxes(network);
  nasbnn_det_box *boxes = malloc(sizeof *boxes * (size_t)room);
  if (!boxes) return -NASBNN_DET_NO_MEMORY;
  const int count = nasbnn_det_detect(network, pixels, width, height, 3 * (int64_t)width, lowest, boxes, room);
  for (int i = 0; i < count; ++i)
    printf("%s %.4f %.1f %.1f %.1f %.1f\n", nasbnn_det_class_name(network, boxes[i].label), boxes[i].score, boxes[i].x1,
           boxes[i].y1, boxes[i].x2, boxes[i].y2);
  free(boxes);
  return count;
}

/* Returns how many classes there are, or the negative status. */
static int print_classes(const nasbnn_det *network, const uint8_t *pixels, int width, int height) {
  const int classes = nasbnn_det_num_classes(network);
  float *probabilities = malloc(sizeof *probabilities * (size_t)classes);
  if (!probabilities) return -NASBNN_DET_NO_MEMORY;
  const int status = nasbnn_det_classify(network, pixels, width, height, 3 * (int64_t)width, NULL, probabilities);
  for (int i = 0; i < classes && !status; ++i) {
    const char *name = nasbnn_det_class_name(network, i);
    if (name) printf("%s %.4f\n", name, probabilities[i]);
    else printf("%d %.4f\n", i, probabilities[i]);
  }
  free(probabilities);
  return status ? -status : classes;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s NETWORK PICTURE.ppm [LOWEST_SCORE]\n", argv[0]);
    return 2;
  }
  nasbnn_det *network = nasbnn_det_load(argv[1], 0, NULL);
  if (!network) {
    fprintf(stderr, "error: %s\n", nasbnn_det_error());
    return 1;
  }
  int width, height;
  uint8_t *pixels = read_ppm(argv[2], &width, &height);
  if (!pixels) {
    fprintf(stderr, "error: '%s' can't be read; allowed are binary PPM files of 8 bits\n", argv[2]);
    nasbnn_det_free(network);
    return 1;
  }
  const int count = nasbnn_det_kind_of(network) == NASBNN_DET_CLASSIFIER
                        ? print_classes(network, pixels, width, height)
                        : print_boxes(network, pixels, width, height, argc > 3 ? (float)atof(argv[3]) : 0.3f);
  if (count < 0)
    fprintf(stderr, "error: %s\n", count == -NASBNN_DET_NO_MEMORY ? "not enough memory" : nasbnn_det_error());
  free(pixels);
  nasbnn_det_free(network);
  return count < 0;
}
