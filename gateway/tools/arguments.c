#include "gateway/tools/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/json.h"

#define URL_DEFAULT "ws://127.0.0.1:8080"
#define TOKEN_VARIABLE "TGCLI_TOKEN"

static bool refuse(const char *name, const char *why)
{
	fprintf(stderr, "tgcli: %s: %s\n", name, why);
	return false;
}

static void add_to_list(struct buf *list, const char *text)
{
	buf_append_char(list, list->len ? ',' : '[');
	json_append_string(list, slice_of(text));
}

/* The comma in front of the next url; NULL: there is none. */
static char *next_url(char *text)
{
	static const char *const schemes[] = {",ws://", ",wss://", ",http://", ",https://"};
	char *next = NULL;
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		char *found = strstr(text, schemes[i]);
		if (found && (!next || found < next))
			next = found;
	}
	return next;
}

/* One url, or several with commas between. A comma inside a url stays where no url follows it. */
static bool add_urls(struct arguments *arguments, char *text)
{
	for (char *next; text; text = next) {
		if (arguments->url_count == ARGUMENTS_URLS_MAX)
			return refuse("--url", "too many");
		next = next_url(text);
		if (next)
			*next++ = '\0';
		arguments->urls[arguments->url_count++] = text;
	}
	return true;
}

static bool read_number(const char *name, const char *value, uint64_t *ret_number)
{
	char *rest;
	if (*value < '1' || *value > '9')
		return refuse(name, "a whole number above 0 is needed");
	*ret_number = strtoull(value, &rest, 10);
	return *rest == '\0' || refuse(name, "a whole number above 0 is needed");
}

static bool read_format(const char *value, enum format *ret_format)
{
	static const char *const names[] = {"text", "ndjson", "json"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(value, names[i]) == 0) {
			*ret_format = (enum format)i;
			return true;
		}
	}
	return refuse("--format", "text, ndjson or json is needed");
}

static bool add_channel(struct arguments *arguments, const char *value)
{
	if (arguments->channel_count == ARGUMENTS_CHANNELS_MAX)
		return refuse("--channel", "too many");
	arguments->channels[arguments->channel_count++] = value;
	return true;
}

static bool add_session(struct arguments *arguments, const char *value)
{
	add_to_list(&arguments->session, value);
	arguments->only_session = arguments->session_count++ ? NULL : value;
	return true;
}

static bool read_where(struct arguments *arguments, const char *value)
{
	enum json_kind kind;
	arguments->where = value;
	return (json_is_valid(slice_of(value), &kind, NULL) && kind == JSON_ARRAY) || refuse("--where", "a JSON array is needed");
}

/* An option and its value. False: said why. */
static bool read_option(struct arguments *arguments, const char *name, char *value)
{
	const struct {
		const char *name;
		const char **text;
	} texts[] = {{"--ca-file", &arguments->ca_file}, {"--cert", &arguments->certificate_file}, {"--key", &arguments->key_file},
		     {"--token", &arguments->token}, {"--token-file", &arguments->token_file}, {"--since", &arguments->since}, {"--from", &arguments->from},
		     {"--to", &arguments->to},       {"--slow", &arguments->slow},   {"--at", &arguments->at},
		     {"--diff-from", &arguments->diff_from}, {"--speed", &arguments->speed}};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (strcmp(name, texts[i].name) == 0) {
			*texts[i].text = value;
			return true;
		}
	}
	if (strcmp(name, "--url") == 0)
		return add_urls(arguments, value);
	if (strcmp(name, "--channel") == 0)
		return add_channel(arguments, value);
	if (strcmp(name, "--session") == 0)
		return add_session(arguments, value);
	if (strcmp(name, "--where") == 0)
		return read_where(arguments, value);
	if (strcmp(name, "--format") == 0)
		return read_format(value, &arguments->format);
	if (strcmp(name, "--max-gap") == 0)
		return read_number(name, value, &arguments->max_gap_ms);
	if (strcmp(name, "--count") == 0)
		return read_number(name, value, &arguments->count);
	if (strcmp(name, "--limit") == 0)
		return read_number(name, value, &arguments->limit);
	add_to_list(strcmp(name, "--agent") == 0 ? &arguments->agent : &arguments->type, value);
	return true;
}

static void read_flag(struct arguments *arguments, const char *name)
{
	if (strcmp(name, "--json") == 0)
		arguments->format = FORMAT_NDJSON;
	else if (strcmp(name, "--insecure") == 0)
		arguments->insecure = true;
	else if (strcmp(name, "--uncompressed") == 0)
		arguments->uncompressed = true;
	else if (strcmp(name, "--reverse") == 0)
		arguments->reverse = true;
	else if (strcmp(name, "--live") == 0)
		arguments->live = true;
	else if (strcmp(name, "--control") == 0)
		arguments->control = true;
	else if (strcmp(name, "--delta") == 0)
		arguments->delta = true;
}

/* The option, if the command takes it; an option that would do nothing is a mistake. NULL: said why not. */
static const struct command_option *find_option(enum command_id command, const char *name)
{
	const struct command_option *option = command_option_find(name);
	char takers[COMMAND_LIST_BYTES];
	if (option && option->commands & (1u << command))
		return option;
	if (option)
		command_list(option->commands, takers);
	if (option)
		fprintf(stderr, "tgcli: %s belongs to %s, not to %s", name, takers, commands[command].name);
	else
		fprintf(stderr, "tgcli: %s: there is no such option", name);
	fprintf(stderr, " (see tgcli %s --help)\n", commands[command].name);
	return NULL;
}

/* Words that the command needs and that are not there are named. */
static bool has_words(enum command_id command, const struct arguments *arguments)
{
	const char *const *words = commands[command].words;
	size_t needed = 0;
	while (needed < COMMAND_WORDS_MAX && words[needed])
		needed++;
	if (arguments->word_count > needed)
		return refuse(arguments->words[needed], "one word too many");
	for (size_t i = arguments->word_count; i < needed; i++)
		fprintf(stderr, "tgcli: %s: %s is missing: tgcli %s\n", commands[command].name, words[i], commands[command].shape);
	return arguments->word_count == needed;
}

static bool is_plea_for_help(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

/* What stands at argv[at]; 0: said why it cannot be, else how many arguments it has. */
static int read_argument(struct arguments *arguments, enum command_id command, int argc, char **argv, int at)
{
	if (strncmp(argv[at], "--", 2) != 0) {
		if (arguments->word_count == ARGUMENTS_WORDS_MAX)
			return refuse(argv[at], "one word too many");
		arguments->words[arguments->word_count++] = argv[at];
		return 1;
	}
	const struct command_option *option = find_option(command, argv[at]);
	if (!option)
		return 0;
	if (!option->value) {
		read_flag(arguments, argv[at]);
		return 1;
	}
	if (at + 1 == argc)
		return refuse(argv[at], "a value is missing");
	return read_option(arguments, argv[at], argv[at + 1]) ? 2 : 0;
}

bool arguments_read(struct arguments *arguments, enum command_id command, int argc, char **argv)
{
	*arguments = (struct arguments){.token = NULL};
	for (int at = 0, used; at < argc; at += used) {
		arguments->wants_help = is_plea_for_help(argv[at]);
		if (arguments->wants_help)
			return true;
		used = read_argument(arguments, command, argc, argv, at);
		if (!used)
			return false;
	}
	if (!has_words(command, arguments))
		return false;
	if (arguments->token && arguments->token_file)
		return refuse("--token-file", "not together with --token");
	if (!arguments->token_file && !arguments->token)
		arguments->token = getenv(TOKEN_VARIABLE);
	if (!arguments->url_count)
		arguments->urls[arguments->url_count++] = URL_DEFAULT;
	return true;
}

void arguments_fini(struct arguments *arguments)
{
	buf_fini(&arguments->session);
	buf_fini(&arguments->agent);
	buf_fini(&arguments->type);
}

static void append_list(struct buf *out, const char *name, const struct buf *list)
{
	if (!list->len)
		return;
	buf_printf(out, "%s\"%s\":", out->bytes[out->len - 1] == '{' ? "" : ",", name);
	buf_append_slice(out, buf_slice(list));
	buf_append_char(out, ']');
}

void arguments_append_filter(struct buf *out, const struct arguments *arguments, bool with_session)
{
	buf_append_char(out, '{');
	if (buf_has_failed(out))
		return;
	if (with_session)
		append_list(out, "session", &arguments->session);
	append_list(out, "agent", &arguments->agent);
	append_list(out, "type", &arguments->type);
	if (arguments->where)
		buf_printf(out, "%s\"where\":%s", out->bytes[out->len - 1] == '{' ? "" : ",", arguments->where);
	buf_append_char(out, '}');
}

void arguments_append_time(struct buf *out, const char *name, const char *time)
{
	if (!time)
		return;
	buf_printf(out, ",\"%s\":", name);
	if (*time >= '1' && *time <= '9' && strspn(time, "0123456789") == strlen(time))
		buf_append_text(out, time);
	else
		json_append_string(out, slice_of(time));
}

void arguments_append_scope(struct buf *out, const struct arguments *arguments)
{
	bool is_session = arguments->only_session && !arguments->channel_count;
	if (is_session) {
		buf_append_text(out, ",\"session\":");
		json_append_string(out, slice_of(arguments->only_session));
	}
	for (size_t i = 0; i < arguments->channel_count; i++) {
		buf_append_text(out, i ? "," : ",\"channels\":[");
		json_append_string(out, slice_of(arguments->channels[i]));
	}
	if (arguments->channel_count)
		buf_append_char(out, ']');
	buf_append_text(out, ",\"filter\":");
	arguments_append_filter(out, arguments, !is_session);
}
