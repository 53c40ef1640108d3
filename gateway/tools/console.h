/* The lines that a user types while something goes on. Reads standard input only when it has something. */
#ifndef GATEWAY_TOOLS_CONSOLE_H
#define GATEWAY_TOOLS_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#define CONSOLE_LINE_MAX 256

struct console {
	int fd; /* -1: nobody types (any more) */
	char line[CONSOLE_LINE_MAX]; /* the beginning of the next one */
	size_t len;
};

void console_open(struct console *console, bool is_wanted); /* is_wanted: also where standard input is no terminal */
/* Something is there to be read: calls on_line for each line that is whole, without its end. */
void console_read(struct console *console, void (*on_line)(void *context, char *line), void *context);

#endif
