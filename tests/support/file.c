#define _GNU_SOURCE
#include "tests/support/file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void file_make(char *path)
{
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

void file_replace(const char *path, const char *text)
{
	char *fresh = NULL;
	ck_assert_int_gt(asprintf(&fresh, "%s.new", path), 0);
	FILE *file = fopen(fresh, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(rename(fresh, path), 0);
	free(fresh);
}
