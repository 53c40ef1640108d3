/* A file with keys, read whole. */
#ifndef GATEWAY_AUTH_KEYFILE_H
#define GATEWAY_AUTH_KEYFILE_H

#include <stddef.h>

#include "common/base/err.h"

#define KEYFILE_BYTES_MAX ((size_t)16 << 20)
#define KEYFILE_WHY 128

/* The text is the caller's until keyfile_free(), which wipes it. ERR_IO, ERR_LIMIT, ERR_NOMEM: ret_why. */
enum err keyfile_read(const char *path, char **ret_text, size_t *ret_len, char ret_why[KEYFILE_WHY]) MUST_USE;
void keyfile_free(char *text, size_t len);

#endif
