/* Classifies an image.
 *   pixels  NETWORK_HEIGHT x NETWORK_WIDTH pixels of three bytes: blue, green, red
 *   logits  receives NETWORK_CLASSES numbers; the largest is the class */
void network_classify(const uint8_t *pixels, float *logits);

/* The same for values that are prepared already: NETWORK_HEIGHT x NETWORK_WIDTH pixels of the network's three channels. */
void network_classify_values(const float *values, float *logits);
