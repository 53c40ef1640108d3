#define _GNU_SOURCE
#include "gateway/wire/read_hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* sys/socket.h may define recv inline (_FORTIFY_SOURCE), so what is needed of it is declared here. */
struct sockaddr;
ssize_t recvfrom(int fd, void *bytes, size_t len, int flags, struct sockaddr *address, unsigned *address_len);
ssize_t recv(int fd, void *bytes, size_t len, int flags);

struct entry {
	read_hook *hook; /* NULL: none */
	void *context;
};

/* By descriptor. */
static _Thread_local struct entry *entries;
static _Thread_local size_t entry_count;

static enum err grow(size_t count)
{
	size_t rounded = count + count / 2 + 64;
	struct entry *grown = realloc(entries, rounded * sizeof *grown);
	if (!grown)
		return ERR_NOMEM;
	memset(grown + entry_count, 0, (rounded - entry_count) * sizeof *grown);
	entries = grown;
	entry_count = rounded;
	return OK;
}

enum err read_hook_set(int fd, read_hook *hook, void *context)
{
	size_t at = (size_t)fd;
	if (at >= entry_count && grow(at + 1) != OK)
		return ERR_NOMEM;
	entries[at] = (struct entry){hook, context};
	return OK;
}

void read_hook_clear(int fd, const void *context)
{
	size_t at = (size_t)fd;
	if (at < entry_count && entries[at].context == context)
		entries[at] = (struct entry){NULL, NULL};
}

void read_hook_end(void)
{
	free(entries);
	entries = NULL;
	entry_count = 0;
}

/* With flags nothing is taken from the socket for good, or the call is our own. */
__attribute__((used, visibility("default"))) ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
	ssize_t got = recvfrom(fd, bytes, len, flags, NULL, NULL);
	if (got <= 0 || flags != 0 || (size_t)fd >= entry_count || !entries[fd].hook)
		return got;
	got = (ssize_t)entries[fd].hook(entries[fd].context, bytes, (size_t)got);
	if (got > 0)
		return got;
	errno = EAGAIN;
	return -1;
}
