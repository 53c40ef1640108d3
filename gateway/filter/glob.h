/* Glob patterns as Redis PSUBSCRIBE means them: '*' any run, '?' one byte, [abc] [a-z] [^abc] sets, '\' takes the next
 * byte as it is. What is malformed means what it means there: a set that is not closed ends with the pattern, a last '\' is
 * itself. (One difference: '*' matches an empty text, which Redis denies.)
 * Matching is by bytes and runs in O(pattern * text) at the worst, whatever the pattern. Pure. */
#ifndef GATEWAY_FILTER_GLOB_H
#define GATEWAY_FILTER_GLOB_H

#include <stdbool.h>

#include "common/base/slice.h"

#define GLOB_BYTES_MAX 1024

bool glob_match(struct slice pattern, struct slice text);
bool glob_is_exact(struct slice pattern); /* holds no special byte: it matches only itself */

#endif
