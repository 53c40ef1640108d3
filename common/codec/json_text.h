/* Strings of JSON, one character at a time; private to this room. */
#ifndef COMMON_CODEC_JSON_TEXT_H
#define COMMON_CODEC_JSON_TEXT_H

#include "common/codec/json.h"

#define JSON_CHARACTER_MAX 4

/* Takes one byte, or one escape, from the front of the inside of a valid string (*at < end, moved on) and gives what it
 * stands for: one byte, or one whole character. */
size_t json_unescape_one(const char **at, const char *end, char ret_bytes[JSON_CHARACTER_MAX]);

#endif
