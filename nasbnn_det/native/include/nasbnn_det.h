/* A packed binary network on a CPU, from its file to boxes, logits or maps. Link with the kernels' library; nothing else is
   needed.

   A network may be used by several threads at once, and after a fork. Its own threads sleep between calls; in calls that
   come at the same time they are shared, and where all of them are taken a call computes on the thread that made it. */
#ifndef NASBNN_DET_H
#define NASBNN_DET_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define NASBNN_DET_API __declspec(dllexport)
#else
#define NASBNN_DET_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nasbnn_det nasbnn_det;

typedef enum {
  NASBNN_DET_OK = 0,
  NASBNN_DET_NO_FILE = 1,   /* there is no such file */
  NASBNN_DET_BAD_FILE = 2,  /* no packed file, damaged, contradicts itself, or no network that stands by itself */
  NASBNN_DET_BAD_INPUT = 3, /* an image or a size that can't be taken, an unknown instruction set, another kind of network */
  NASBNN_DET_NO_MEMORY = 4
} nasbnn_det_status;

typedef enum {
  NASBNN_DET_DETECTOR = 0,   /* boxes: nasbnn_det_detect */
  NASBNN_DET_CLASSIFIER = 1, /* logits: nasbnn_det_classify */
  NASBNN_DET_BACKBONE = 2    /* maps: nasbnn_det_maps */
} nasbnn_det_kind;

typedef struct {
  float x1, y1, x2, y2; /* corners in pixels of the image */
  float score;          /* 0 to 1 */
  int32_t label;        /* index of the class */
} nasbnn_det_box;

typedef struct {
  int64_t height, width;             /* of the network's input */
  int64_t image_height, image_width; /* of the image within it; boxes are clipped to these */
  double scale_x, scale_y;           /* from the original image to the input */
} nasbnn_det_geometry;

/* What went wrong in this thread's last call that failed, in one sentence. */
NASBNN_DET_API const char* nasbnn_det_error(void);

/* Loads a packed file, to be run on so many threads at most; 0: OMP_NUM_THREADS if that is set, else as many as the process
   may use CPUs. NASBNN_DET_ISA, if it is set, names the instruction set. Null if it fails: nasbnn_det_error says why, and
   `status`, which may be null, receives of which kind it is. */
NASBNN_DET_API nasbnn_det* nasbnn_det_load(const char* path, int threads, nasbnn_det_status* status);

/* The same from memory, which is not needed afterwards. */
NASBNN_DET_API nasbnn_det* nasbnn_det_load_memory(const void* data, size_t bytes, int threads, nasbnn_det_status* status);

/* The same for the backbone of any packed file, whatever else is in it; also for one that needs its config otherwise. */
NASBNN_DET_API nasbnn_det* nasbnn_det_load_backbone(const char* path, int threads, nasbnn_det_status* status);
NASBNN_DET_API nasbnn_det* nasbnn_det_load_backbone_memory(const void* data, size_t bytes, int threads,
                                                           nasbnn_det_status* status);

/* Gives back a network that no call uses any more; null is taken too. */
NASBNN_DET_API void nasbnn_det_free(nasbnn_det* network);

NASBNN_DET_API nasbnn_det_kind nasbnn_det_kind_of(const nasbnn_det* network);
/* 0 for a backbone. */
NASBNN_DET_API int nasbnn_det_num_classes(const nasbnn_det* network);
/* UTF-8; null if there is no such class, or a classifier's file does not name them. */
NASBNN_DET_API const char* nasbnn_det_class_name(const nasbnn_det* network, int label);
/* How many boxes a detector's call finds at most. */
NASBNN_DET_API int nasbnn_det_max_boxes(const nasbnn_det* network);

/* Finds objects in an image: BGR, 8 bits, `stride` bytes from row to row. Writes at most `room` boxes, best first, of at
   least that score, and returns how many; or the negative status. */
NASBNN_DET_API int nasbnn_det_detect(const nasbnn_det* network, const uint8_t* bgr, int64_t width, int64_t height,
                                     int64_t stride, float score_thr, nasbnn_det_box* boxes, int room);

/* The same for an input that is prepared already: planes [3][height][width]. Boxes are clipped to geometry's image, not to
   the original one. */
NASBNN_DET_API int nasbnn_det_detect_prepared(const nasbnn_det* network, const float* planes,
                                              const nasbnn_det_geometry* geometry, float score_thr, nasbnn_det_box* boxes,
                                              int room);

/* Classifies an image: BGR, 8 bits, `stride` bytes from row to row, of the size that the network was trained for where the
   file does not say one: resizing and cropping are the caller's. Fills `logits` and `probabilities` [num_classes], either of
   which may be null. */
NASBNN_DET_API nasbnn_det_status nasbnn_det_classify(const nasbnn_det* network, const uint8_t* bgr, int64_t width,
                                                     int64_t height, int64_t stride, float* logits, float* probabilities);

/* The same for an input that is prepared already: planes [3][height][width]. */
NASBNN_DET_API nasbnn_det_status nasbnn_det_classify_prepared(const nasbnn_det* network, const float* planes, int64_t height,
                                                              int64_t width, float* logits, float* probabilities);

/* How many maps a backbone gives; 0 for other networks. */
NASBNN_DET_API int nasbnn_det_num_maps(const nasbnn_det* network);

/* Their sizes for an input of this size: fills `sizes` [num_maps][3] with height, width and channels, finest first. */
NASBNN_DET_API nasbnn_det_status nasbnn_det_map_sizes(const nasbnn_det* network, int64_t height, int64_t width,
                                                      int64_t* sizes);

/* Computes them for a prepared input: planes [3][height][width]; fills maps[i] [height][width][channels]. */
NASBNN_DET_API nasbnn_det_status nasbnn_det_maps(const nasbnn_det* network, const float* planes, int64_t height, int64_t width,
                                                 float* const* maps);

/* How an image of this size will be prepared. */
NASBNN_DET_API nasbnn_det_status nasbnn_det_plan(const nasbnn_det* network, int64_t width, int64_t height,
                                                 nasbnn_det_geometry* geometry);

/* Prepares an image as nasbnn_det_detect and nasbnn_det_classify do; fills planes [3][geometry.height][geometry.width]. */
NASBNN_DET_API nasbnn_det_status nasbnn_det_prepare(const nasbnn_det* network, const uint8_t* bgr, int64_t width,
                                                    int64_t height, int64_t stride, float* planes);

#ifdef __cplusplus
}
#endif
#endif
