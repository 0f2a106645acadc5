/* Runs the network on the image above and compares everything with what the packed runtime gave. On a host it writes to
 * stdout; on a microcontroller through a debugger or an emulator, by semihosting. Compile it and the network with
 * -DNETWORK_OBSERVED. The exit status is 0 if all agrees. */
#include "network.h"

#if !defined(NETWORK_OBSERVED)
#error "compile this file and the network with -DNETWORK_OBSERVED"
#endif

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
static int32_t semihosting(uint32_t operation, const void *argument)
{
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return (int32_t)r0;
}

static void write_text(const char *text)
{
  semihosting(0x04, text);
}
#else
#include <stdio.h>

static void write_text(const char *text)
{
  fputs(text, stdout);
}
#endif

static void write_number(const char *name, uint32_t number)
{
  char text[12];
  char *at = text + sizeof text;
  *--at = 0;
  *--at = '\n';
  do *--at = (char)('0' + number % 10);
  while (number /= 10);
  write_text(name);
  write_text(" ");
  write_text(at);
}

static int wrong, observing;

static void expect(int right, const char *sentence)
{
  if (right) return;
  wrong = 1;
  write_text(sentence);
}

/* Every map that the network delivers, bit by bit. */
void network_observe(int32_t index, const float *map, int32_t values)
{
  uint32_t hash = 2166136261u, word;
  int32_t i;
  if (!observing) return;
  for (i = 0; i < values; ++i) {
    memcpy(&word, map + i, sizeof word);
    hash = (hash ^ word) * 16777619u;
  }
  expect(values == expected_maps[index].values, "wrong: a map has another size\n");
  if (hash == expected_maps[index].hash) return;
  expect(0, "wrong: other bits in a map\n");
  write_number("map", (uint32_t)index);
}

#if defined(NETWORK_MEASURED) /* by what starts main */
void begin_measuring(void);
void end_measuring(void);
#else
#define begin_measuring() (void)0
#define end_measuring() (void)0
#endif

#if defined(NETWORK_MAX_DETECTIONS)
static struct network_detection found[NETWORK_MAX_DETECTIONS];

static int is_near(float a, float b, float tolerance)
{
  return a - b <= tolerance && b - a <= tolerance;
}

/* Each expected object is among those found; equal scores may come in any order. The exponential function of another
 * runtime may differ in the last place, hence tolerances. */
static void compare(int32_t count)
{
  static uint8_t used[NETWORK_MAX_DETECTIONS];
  int32_t i, k;
  memset(used, 0, sizeof used);
  write_number("objects", (uint32_t)count);
  expect(count == EXPECTED_DETECTIONS, "wrong: another number of objects\n");
  for (i = 0; i < EXPECTED_DETECTIONS; ++i) {
    const struct network_detection *want = expected_detections + i;
    for (k = 0; k < count; ++k)
      if (!used[k] && want->label == found[k].label && is_near(want->score, found[k].score, SCORE_TOLERANCE) &&
          is_near(want->x1, found[k].x1, BOX_TOLERANCE) && is_near(want->y1, found[k].y1, BOX_TOLERANCE) &&
          is_near(want->x2, found[k].x2, BOX_TOLERANCE) && is_near(want->y2, found[k].y2, BOX_TOLERANCE))
        break;
    expect(k < count, "wrong: an object is not found\n");
    if (k < count) used[k] = 1;
  }
}

static void run_twice(void)
{
  observing = 1;
  compare(network_detect(image, found));
  observing = 0;
  begin_measuring();
  network_detect(image, found);
  end_measuring();
}
#else
static float logits[NETWORK_CLASSES];

static void run_twice(void)
{
  int32_t i, best = 0;
  observing = 1;
  network_classify(image, logits);
  for (i = 0; i < NETWORK_CLASSES; ++i) {
    expect(memcmp(logits + i, expected_logits + i, sizeof *logits) == 0, "wrong: another logit\n");
    if (logits[i] > logits[best]) best = i;
  }
  write_number("class", (uint32_t)best);
  observing = 0;
  begin_measuring();
  network_classify(image, logits);
  end_measuring();
}
#endif

int main(void)
{
  run_twice();
  write_text(wrong ? "FAILED\n" : "PASSED\n");
#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
  {
    const uint32_t status[2] = {0x20026, 0};
    const uint32_t failed[2] = {0x20026, 1};
    semihosting(0x20, wrong ? failed : status);
  }
#endif
  return wrong;
}
