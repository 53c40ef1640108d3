#include "tests/support/recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

unsigned recording_open(void)
{
	static unsigned last;
	return ++last;
}

void recording_add(unsigned recording, char direction, struct slice text)
{
	const char *folder = getenv("TEST_RECORD_MESSAGES");
	char path[512];
	if (!folder)
		return;
	snprintf(path, sizeof path, "%s/%ld-%u", folder, (long)getpid(), recording);
	FILE *file = fopen(path, "a");
	if (!file)
		return;
	fprintf(file, "%c ", direction);
	for (size_t i = 0; i < text.len; i++)
		putc(text.ptr[i] == '\n' || text.ptr[i] == '\r' ? ' ' : text.ptr[i], file);
	putc('\n', file);
	fclose(file);
}
