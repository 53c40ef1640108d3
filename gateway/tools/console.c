#include "gateway/tools/console.h"

#include <string.h>
#include <unistd.h>

void console_open(struct console *console, bool is_wanted)
{
	*console = (struct console){.fd = is_wanted || isatty(STDIN_FILENO) ? STDIN_FILENO : -1};
}

/* What is longer than a line may be is cut. */
static void take_byte(struct console *console, char byte, void (*on_line)(void *context, char *line), void *context)
{
	if (byte != '\n') {
		if (console->len + 1 < sizeof console->line)
			console->line[console->len++] = byte;
		return;
	}
	console->line[console->len] = '\0';
	console->len = 0;
	on_line(context, console->line);
}

void console_read(struct console *console, void (*on_line)(void *context, char *line), void *context)
{
	char bytes[CONSOLE_LINE_MAX];
	ssize_t count = read(console->fd, bytes, sizeof bytes);
	if (count <= 0)
		console->fd = -1;
	for (ssize_t i = 0; i < count; i++)
		take_byte(console, bytes[i], on_line, context);
}
