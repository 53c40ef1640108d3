/* Something for each flag of a release build to act on: a buffer on the stack, filled by a function that can be fortified. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	char name[64];
	memcpy(name, argv[argc - 1], strlen(argv[argc - 1]) + 1);
	return puts(name) < 0;
}
