/* Are the keys of a map unique? For decoders. Private to this room; pure. */
#ifndef COMMON_CODEC_KEYS_H
#define COMMON_CODEC_KEYS_H

#include "common/base/err.h"
#include "common/protocol/value.h"

#define KEYS_FEW 16 /* up to here comparing each with each is cheaper than to sort */

/* ERR_EXISTS: two are equal; ERR_NOMEM. Many keys are sorted, so that they cost no square. */
enum err keys_check(const struct value *map) MUST_USE;

#endif
