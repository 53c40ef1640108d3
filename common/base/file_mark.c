#include "common/base/file_mark.h"

#include <sys/stat.h>

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

struct file_mark file_mark_take(const char *path)
{
	struct stat found;
	if (stat(path, &found) != 0)
		return (struct file_mark){.is_there = false};
	return (struct file_mark){true, found.st_dev, found.st_ino, found.st_size, found.st_mtim, found.st_ctim};
}

bool file_mark_is_same(const struct file_mark *a, const struct file_mark *b)
{
	return a->is_there == b->is_there && a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       is_same_time(a->modified, b->modified) && is_same_time(a->changed, b->changed);
}
