/* tgcli state: what the state of a session was at a moment, and what changed since another one. */
#include <stdlib.h>

#include "common/codec/json.h"
#include "gateway/tools/ask.h"
#include "gateway/tools/show.h"

static void write_request(struct ask *ask, struct buf *out)
{
	const struct arguments *arguments = ask->arguments;
	buf_append_text(out, "{\"op\":\"state\",\"session\":");
	json_append_string(out, slice_of(arguments->only_session));
	arguments_append_time(out, "at", arguments->at);
	arguments_append_time(out, "diffFrom", arguments->diff_from);
	buf_append_char(out, '}');
}

/* As text the state, or with --diff-from what changed; as JSON the whole answer. */
static void show_state_of(const struct arguments *arguments, const struct tgc_reply *reply)
{
	struct tgc_text at = tgc_find(reply->json, "/at");
	struct tgc_text part = tgc_find(reply->json, arguments->diff_from ? "/patch" : "/state");
	if (arguments->format != FORMAT_TEXT)
		part = reply->json;
	else if (at.len > 2)
		fprintf(stderr, "tgcli: as of %.*s\n", (int)(at.len - 2), at.ptr + 1);
	show_text(stdout, part);
	fputc('\n', stdout);
}

static void on_reply(struct ask *ask, const struct tgc_reply *reply)
{
	if (reply->kind == TGC_REPLY_ERROR) {
		ask_again(ask, reply);
		return;
	}
	show_state_of(ask->arguments, reply);
	ask_end(ask, EXIT_SUCCESS);
}

int command_state(const struct arguments *arguments)
{
	struct ask ask = {.arguments = arguments, .write = write_request, .on_reply = on_reply};
	if (!arguments->only_session) {
		fputs("tgcli: state needs one --session (see tgcli state --help)\n", stderr);
		return EXIT_USAGE;
	}
	return ask_run(&ask);
}
