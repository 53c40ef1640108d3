/* Runs a fuzz target over every file of a folder, for builds without libFuzzer. Each input is in memory of exactly its
 * size, so that a sanitizer sees a read past its end. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END) != 0)
		return -1;
	long len = ftell(file);
	uint8_t *bytes = len < 0 ? NULL : malloc((size_t)len + !len);
	rewind(file);
	int result = bytes && fread(bytes, 1, (size_t)len, file) == (size_t)len ? 0 : -1;
	if (result == 0)
		LLVMFuzzerTestOneInput(bytes, (size_t)len);
	free(bytes);
	fclose(file);
	return result;
}

int main(int count, char **arguments)
{
	DIR *folder = count == 2 ? opendir(arguments[1]) : NULL;
	size_t inputs = 0;
	if (!folder) {
		fprintf(stderr, "usage: %s <folder of inputs>\n", arguments[0]);
		return EXIT_FAILURE;
	}
	for (struct dirent *entry; (entry = readdir(folder));) {
		char path[4096];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", arguments[1], entry->d_name);
		if (replay(path) < 0) {
			perror(path);
			closedir(folder);
			return EXIT_FAILURE;
		}
		inputs++;
	}
	closedir(folder);
	printf("%zu inputs\n", inputs);
	return inputs ? EXIT_SUCCESS : EXIT_FAILURE;
}
