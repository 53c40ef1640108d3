/* What tgcli can be asked for: its commands, and the options of each, once. By these tables a command line is read, a mistake in it
 * is told, and help is written. Pure but for the help. */
#ifndef GATEWAY_TOOLS_USAGE_H
#define GATEWAY_TOOLS_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum command_id { COMMAND_WATCH, COMMAND_HISTORY, COMMAND_STATE, COMMAND_REPLAY, COMMAND_PUBLISH, COMMAND_PING, COMMANDS };

#define COMMAND_WORDS_MAX 2

struct command {
	const char *name, *shape, *help; /* "publish", "publish [options] CHANNEL JSON", what it does */
	const char *words[COMMAND_WORDS_MAX]; /* what it needs beside options; NULL: no more */
};

extern const struct command commands[COMMANDS];

struct command_option {
	const char *name, *value; /* "--channel", "GLOB"; value NULL: a switch */
	unsigned commands;        /* a bit for each that takes it, by enum command_id */
	const char *help;
};

/* The command of that name; COMMANDS: there is none. */
enum command_id command_find(const char *name);
/* NULL: there is no such option of any command. */
const struct command_option *command_option_find(const char *name);

/* "watch, history and replay": the names of the commands whose bits are set. */
#define COMMAND_LIST_BYTES 64
void command_list(unsigned bits, char ret_text[COMMAND_LIST_BYTES]);

void usage_write(FILE *out);                                 /* of all commands */
void usage_write_command(FILE *out, enum command_id command); /* of one */

#endif
