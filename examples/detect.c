/* Finds objects in a picture by a packed detector, and prints them: class, score, corners in pixels.

   cc -I nasbnn_det/native/include examples/detect.c libnasbnn_kernels.so -o detect
   ./detect detector.safetensors picture.ppm 0.3

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

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s DETECTOR PICTURE.ppm [LOWEST_SCORE]\n", argv[0]);
    return 2;
  }
  nasbnn_det *detector = nasbnn_det_load(argv[1], 0, NULL);
  if (!detector) {
    fprintf(stderr, "error: %s\n", nasbnn_det_error());
    return 1;
  }
  int width, height;
  uint8_t *pixels = read_ppm(argv[2], &width, &height);
  if (!pixels) {
    fprintf(stderr, "error: '%s' can't be read; allowed are binary PPM files of 8 bits\n", argv[2]);
    nasbnn_det_free(detector);
    return 1;
  }
  const int room = nasbnn_det_max_boxes(detector);
  nasbnn_det_box *boxes = malloc(sizeof *boxes * (size_t)room);
  const int count = !boxes ? -NASBNN_DET_NO_MEMORY
                           : nasbnn_det_detect(detector, pixels, width, height, 3 * (int64_t)width,
                                               argc > 3 ? (float)atof(argv[3]) : 0.3f, boxes, room);
  if (count < 0) fprintf(stderr, "error: %s\n", boxes ? nasbnn_det_error() : "not enough memory");
  for (int i = 0; i < count; ++i)
    printf("%s %.4f %.1f %.1f %.1f %.1f\n", nasbnn_det_class_name(detector, boxes[i].label), boxes[i].score, boxes[i].x1,
           boxes[i].y1, boxes[i].x2, boxes[i].y2);
  free(boxes);
  free(pixels);
  nasbnn_det_free(detector);
  return count < 0;
}
