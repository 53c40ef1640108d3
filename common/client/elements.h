/* Walks the elements of a JSON array that is known to be valid, as raw text, without parsing them. Pure. */
#ifndef COMMON_CLIENT_ELEMENTS_H
#define COMMON_CLIENT_ELEMENTS_H

#include <stdbool.h>

#include "common/base/slice.h"

/* rest: the array's raw text at first; then what this left. False: there is none more (or it is no array). */
bool tgc_elements_next(struct slice *rest, struct slice *ret_element);

#endif
