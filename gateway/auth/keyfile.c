#include "gateway/auth/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/auth/openssl.h"

static enum err refuse(enum err error, const char *why, char ret_why[KEYFILE_WHY])
{
	snprintf(ret_why, KEYFILE_WHY, "%s", why);
	return error;
}

/* ret_len: how much there was, up to room. */
static enum err read_all(int file, char *text, size_t room, size_t *ret_len)
{
	size_t len = 0;
	while (len < room) {
		ssize_t got = read(file, text + len, room - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_IO;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	*ret_len = len;
	return OK;
}

static enum err read_open(int file, char **ret_text, size_t *ret_len, char ret_why[KEYFILE_WHY])
{
	struct stat found;
	if (fstat(file, &found) != 0)
		return refuse(ERR_IO, strerror(errno), ret_why);
	if (!S_ISREG(found.st_mode))
		return refuse(ERR_IO, "is no regular file", ret_why);
	if (found.st_size > (off_t)KEYFILE_BYTES_MAX)
		return refuse(ERR_LIMIT, "is longer than 16 MiB", ret_why);
	size_t room = (size_t)found.st_size, len = 0;
	char *text = malloc(room + 1);
	if (!text)
		return refuse(ERR_NOMEM, err_name(ERR_NOMEM), ret_why);
	enum err error = read_all(file, text, room, &len);
	if (error != OK) {
		refuse(error, strerror(errno), ret_why);
		keyfile_free(text, room);
		return error;
	}
	*ret_text = text;
	*ret_len = len;
	return OK;
}

enum err keyfile_read(const char *path, char **ret_text, size_t *ret_len, char ret_why[KEYFILE_WHY])
{
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe is not to be waited for */
	if (file < 0)
		return refuse(ERR_IO, strerror(errno), ret_why);
	enum err error = read_open(file, ret_text, ret_len, ret_why);
	close(file);
	return error;
}

void keyfile_free(char *text, size_t len)
{
	if (text)
		OPENSSL_cleanse(text, len);
	free(text);
}
