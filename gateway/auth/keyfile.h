/* A file with keys, as it is watched: read whole, and looked at for changes. A symbolic link counts by what it leads to now, since
 * Kubernetes updates Secrets by replacing links. */
#ifndef GATEWAY_AUTH_KEYFILE_H
#define GATEWAY_AUTH_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "common/base/err.h"

#define KEYFILE_BYTES_MAX ((size_t)16 << 20)
#define KEYFILE_WHY 128

/* What tells a file from another, and from itself before a change. */
struct keyfile_mark {
	bool is_there;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct keyfile_mark keyfile_look(const char *path);
bool keyfile_is_same(const struct keyfile_mark *a, const struct keyfile_mark *b);

/* The text is the caller's until keyfile_free(), which wipes it. ERR_IO, ERR_LIMIT, ERR_NOMEM: ret_why. */
enum err keyfile_read(const char *path, char **ret_text, size_t *ret_len, char ret_why[KEYFILE_WHY]) MUST_USE;
void keyfile_free(char *text, size_t len);

#endif
