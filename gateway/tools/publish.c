/* tgcli publish and ping: one request, one reply, one line. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/codec/json.h"
#include "gateway/tools/ask.h"
#include "gateway/tools/show.h"

static void write_publish(struct ask *ask, struct buf *out)
{
	buf_append_text(out, "{\"op\":\"publish\",\"channel\":");
	json_append_string(out, slice_of(ask->arguments->words[0]));
	buf_append_text(out, ",\"data\":");
	buf_append_text(out, ask->arguments->words[1]);
	buf_append_char(out, '}');
}

static void on_published(struct ask *ask, const struct tgc_reply *reply)
{
	struct tgc_text id = tgc_find(reply->json, "/id");
	if (reply->kind == TGC_REPLY_ERROR) {
		show_error(reply); /* not again by itself: it may have been done */
		ask_end(ask, EXIT_REFUSED);
		return;
	}
	if (id.len > 2)
		show_text(stdout, (struct tgc_text){id.ptr + 1, id.len - 2});
	putchar('\n');
	ask_end(ask, fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_REFUSED);
}

int command_publish(const struct arguments *arguments)
{
	struct ask ask = {.arguments = arguments, .write = write_publish, .on_reply = on_published};
	struct json_error error;
	if (!json_is_valid(slice_of(arguments->words[1]), NULL, &error)) {
		fprintf(stderr, "tgcli: the event is no JSON: %s at byte %zu; text needs quotes of its own: '\"text\"'\n", error.message, error.at);
		return EXIT_USAGE;
	}
	return ask_run(&ask);
}

static void write_ping(struct ask *ask, struct buf *out)
{
	buf_append_text(out, "{\"op\":\"ping\"}");
	*(uint64_t *)ask->context = clock_mono_ns();
}

static void on_pong(struct ask *ask, const struct tgc_reply *reply)
{
	struct tgc_status status;
	uint64_t took_ns = clock_mono_ns() - *(uint64_t *)ask->context;
	if (reply->kind == TGC_REPLY_ERROR) {
		ask_again(ask, reply);
		return;
	}
	tgc_status(ask->client, &status);
	printf("%s answered in %.2f ms\n", status.url, (double)took_ns / (double)NS_PER_MS);
	ask_end(ask, fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_REFUSED);
}

int command_ping(const struct arguments *arguments)
{
	uint64_t sent_ns = 0;
	struct ask ask = {.arguments = arguments, .context = &sent_ns, .write = write_ping, .on_reply = on_pong};
	return ask_run(&ask);
}
