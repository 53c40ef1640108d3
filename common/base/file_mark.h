/* What tells a file from another, and from itself before a change: whoever uses a file marks it, and looks later whether the mark is
 * still the same. A symbolic link counts by what it leads to now, since Kubernetes updates Secrets by replacing links. The time of
 * the last change to the file's entry counts too: a file that is written in place with the same size and an old date has changed. */
#ifndef COMMON_BASE_FILE_MARK_H
#define COMMON_BASE_FILE_MARK_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct file_mark {
	bool is_there;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct file_mark file_mark_take(const char *path); /* an empty path is a file that is not there */
bool file_mark_is_same(const struct file_mark *a, const struct file_mark *b);

#endif
