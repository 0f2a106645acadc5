/* An object: corners in pixels, the index of its class, and how sure it is, 0 to 1. */
struct network_detection {
  float x1, y1, x2, y2, score;
  int32_t label;
};

/* Detects objects.
 *   pixels  NETWORK_HEIGHT x NETWORK_WIDTH pixels of three bytes: blue, green, red
 *   found   receives at most NETWORK_MAX_DETECTIONS objects, best first
 * Returns how many. */
int32_t network_detect(const uint8_t *pixels, struct network_detection *found);

/* The same for values that are prepared already: NETWORK_HEIGHT x NETWORK_WIDTH pixels of the network's three channels. */
int32_t network_detect_values(const float *values, struct network_detection *found);
