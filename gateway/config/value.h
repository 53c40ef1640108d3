/* Reads the texts of values into the fields of a config, with their bounds. Private to the room; pure. */
#ifndef GATEWAY_CONFIG_VALUE_H
#define GATEWAY_CONFIG_VALUE_H

#include "common/base/arena.h"
#include "gateway/config/option.h"

#define WHY_BYTES 256

/* Stores the value in config; texts and lists live in the arena. On failure ret_why says what is allowed, to stand
 * behind the value: "is not a number from 0 to 256". ERR_INVALID, ERR_NOMEM. */
enum err value_store(const struct option *option, const char *text, struct arena *arena, struct config *config,
                     char ret_why[WHY_BYTES]) MUST_USE;

#endif
