/* The command line of tgcli, read once. Texts are borrowed from argv or owned by the arguments. */
#ifndef GATEWAY_TOOLS_ARGUMENTS_H
#define GATEWAY_TOOLS_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/data/buf.h"
#include "gateway/tools/usage.h"

#define ARGUMENTS_URLS_MAX 64
#define ARGUMENTS_CHANNELS_MAX 64
#define ARGUMENTS_WORDS_MAX COMMAND_WORDS_MAX

enum format { FORMAT_TEXT, FORMAT_NDJSON, FORMAT_JSON };

struct arguments {
	const char *urls[ARGUMENTS_URLS_MAX], *channels[ARGUMENTS_CHANNELS_MAX];
	size_t url_count, channel_count;
	struct buf session, agent, type; /* JSON arrays without their closing bracket; empty: not given */
	const char *only_session;        /* NULL unless exactly one was given */
	size_t session_count;
	const char *ca_file, *certificate_file, *key_file;
	const char *token, *token_file; /* one of them, or none */
	const char *where, *since, *from, *to, *slow, *at, *diff_from, *speed;
	bool wants_help; /* --help or -h: the rest was not read */
	bool uncompressed;
	enum format format;
	bool insecure;
	bool reverse, live, control, delta;
	uint64_t count, limit;                  /* 0: no end */
	uint64_t max_gap_ms;                    /* 0: not given */
	const char *words[ARGUMENTS_WORDS_MAX]; /* what is no option */
	size_t word_count;
};

/* What argv holds behind the command. False: what is wrong was said on standard error. */
bool arguments_read(struct arguments *arguments, enum command_id command, int argc, char **argv);
void arguments_fini(struct arguments *arguments);

/* The filter as JSON, "{}" where nothing was asked for; with_session: false where the session is asked for in another way. */
void arguments_append_filter(struct buf *out, const struct arguments *arguments, bool with_session);

/* Members of a request, each with a comma in front. What to look through: the stream of one session, or the log. */
void arguments_append_scope(struct buf *out, const struct arguments *arguments);
void arguments_append_time(struct buf *out, const char *name, const char *time); /* time NULL: nothing */

#endif
