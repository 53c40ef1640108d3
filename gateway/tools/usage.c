#include "gateway/tools/usage.h"

#include <string.h>

#define BIT(command) (1u << COMMAND_##command)
#define ALL ((1u << COMMANDS) - 1)
#define EVENTS (BIT(WATCH) | BIT(HISTORY) | BIT(REPLAY))
#define COLUMN "                   " /* where helps stand */
#define OPTION_WIDTH 17

const struct command commands[COMMANDS] = {
	[COMMAND_WATCH] = {"watch", "watch [options]", "follows what is published, for ever", {NULL}},
	[COMMAND_HISTORY] = {"history", "history [options]", "shows what was published", {NULL}},
	[COMMAND_STATE] = {"state", "state --session S [options]", "shows what the state of a session was", {NULL}},
	[COMMAND_REPLAY] = {"replay", "replay [options]", "plays what was published again", {NULL}},
	[COMMAND_PUBLISH] = {"publish", "publish [options] CHANNEL JSON", "publishes one event and says its id", {"CHANNEL", "JSON"}},
	[COMMAND_PING] = {"ping", "ping [options]", "says whether a node answers, and how fast", {NULL}},
};

/* Options of the same commands stand together: help names the commands in front of them. */
static const struct command_option options[] = {
	{"--url", "URL", ALL, "ws:// or wss://host[:port][/path], default ws://127.0.0.1:8080; several with commas or one by one:\n"
	 COLUMN "when one node fails, the next is taken"},
	{"--token", "T", ALL, "a JWT or an API key; else that of the environment, TGCLI_TOKEN"},
	{"--token-file", "F", ALL, "the same, from a file, which is read again when the token expires or is no longer taken"},
	{"--ca-file", "FILE", ALL, "wss://: the authorities of nodes' certificates, in PEM; else the system's"},
	{"--cert", "FILE", ALL, "wss://: this client's certificate, --key FILE its key where it is not in the same file"},
	{"--key", "FILE", ALL, NULL},
	{"--insecure", NULL, ALL, "wss://: takes any certificate; only for tests"},
	{"--uncompressed", NULL, ALL, "asks for no compression"},
	{"--session", "S", EVENTS | BIT(STATE), "only this session; for watch, history and replay it may be given several times"},
	{"--format", "F", EVENTS | BIT(STATE), "text (channel and payload, a line each), ndjson (the whole event, a line each; also --json),\n"
	 COLUMN "json (one array); of a state the state alone, or else the whole answer"},
	{"--json", NULL, EVENTS | BIT(STATE), NULL},
	{"--channel", "GLOB", EVENTS, "only these channels; may be given several times"},
	{"--agent", "A", EVENTS, "only this agent, --type T only this type; each may be given several times"},
	{"--type", "T", EVENTS, NULL},
	{"--where", "JSON", EVENTS, "conditions, as in docs/protocol.md: '[{\"path\":\"/durationMs\",\"op\":\">\",\"value\":1000}]'"},
	{"--since", "TIME", BIT(WATCH), "first what came after that: an id or cursor, ms, ISO 8601, earliest, -5m"},
	{"--slow", "POLICY", BIT(WATCH), "catchup, drop, conflate, disconnect"},
	{"--delta", NULL, BIT(WATCH), "events come as what changed on their channel, and are shown whole"},
	{"--count", "N", BIT(WATCH), "end after N events"},
	{"--from", "TIME", BIT(HISTORY) | BIT(REPLAY), "and --to TIME: both included"},
	{"--to", "TIME", BIT(HISTORY) | BIT(REPLAY), NULL},
	{"--limit", "N", BIT(HISTORY), "at most N events"},
	{"--reverse", NULL, BIT(HISTORY), "the newest first"},
	{"--speed", "X", BIT(REPLAY), "0.1 to 1000 times as fast as it was, or max"},
	{"--max-gap", "MS", BIT(REPLAY), "cuts longer silences to that"},
	{"--live", NULL, BIT(REPLAY), "goes on with what is published, without a gap"},
	{"--control", NULL, BIT(REPLAY), "takes commands from standard input, a line each, also where that is no terminal, and waits for them\n"
	 COLUMN "at the end: pause, play, step [N], back [N], seek TIME, speed X, state, stop"},
	{"--at", "TIME", BIT(STATE), "as it was then; else as it is now"},
	{"--diff-from", "TIME", BIT(STATE), "what changed since then, as a JSON Merge Patch"},
};

static const char ending[] =
	"Exit status: 0 when done or after Ctrl-C, 1 when a gateway refuses, ends it for good or cannot be reached (watch goes on\n"
	"trying), also for a token that has expired where --token-file has no other, 2 for a wrong option.\n";

enum command_id command_find(const char *name)
{
	int id = 0;
	while (id < COMMANDS && strcmp(commands[id].name, name) != 0)
		id++;
	return (enum command_id)id;
}

const struct command_option *command_option_find(const char *name)
{
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	}
	return NULL;
}

void command_list(unsigned bits, char ret_text[COMMAND_LIST_BYTES])
{
	size_t len = 0;
	ret_text[0] = '\0';
	for (int id = 0; id < COMMANDS && len < COMMAND_LIST_BYTES; id++) {
		if (!(bits & (1u << id)))
			continue;
		const char *between = !len ? "" : bits >> (id + 1) ? ", " : " and ";
		len += (size_t)snprintf(ret_text + len, COMMAND_LIST_BYTES - len, "%s%s", between, commands[id].name);
	}
}

/* Options without help are named in that of the one before. */
static void write_options(FILE *out, unsigned of, bool names_commands)
{
	unsigned named = 0;
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		const struct command_option *option = &options[i];
		char shape[OPTION_WIDTH], names[COMMAND_LIST_BYTES];
		if (!option->help || !(option->commands & of))
			continue;
		command_list(option->commands, names);
		if (names_commands && option->commands != named)
			fprintf(out, "%s:\n", option->commands == ALL ? "All" : names);
		named = option->commands;
		snprintf(shape, sizeof shape, "%s%s%s", option->name, option->value ? " " : "", option->value ? option->value : "");
		fprintf(out, "  %-*s%s\n", OPTION_WIDTH, shape, option->help);
	}
}

void usage_write(FILE *out)
{
	for (int id = 0; id < COMMANDS; id++)
		fprintf(out, "%s tgcli %-38s  %s\n", id ? "      " : "Usage:", commands[id].shape, commands[id].help);
	fputs("       tgcli COMMAND --help                          shows the options of one command; tgcli --version\n", out);
	write_options(out, ALL, true);
	fputs(ending, out);
}

void usage_write_command(FILE *out, enum command_id command)
{
	fprintf(out, "Usage: tgcli %s\n%c%s.\n", commands[command].shape, commands[command].help[0] - 'a' + 'A', commands[command].help + 1);
	write_options(out, 1u << command, false);
	fputs(ending, out);
}
