/* tgcli history: the past in pages, each asked for when the one before is shown. A connection that is lost in the middle of
 * a page is no trouble: the rest is asked for behind the last event that was shown. */
#include <stdlib.h>

#include "gateway/tools/ask.h"
#include "gateway/tools/show.h"

#define PAGE_EVENTS 1000

struct history {
	struct show show;
	struct buf after; /* a cursor as the node wrote it, or an id; empty: from the start */
};

static void write_request(struct ask *ask, struct buf *out)
{
	const struct arguments *arguments = ask->arguments;
	const struct history *history = ask->context;
	uint64_t left = arguments->limit ? arguments->limit - history->show.shown : PAGE_EVENTS;
	buf_append_text(out, "{\"op\":\"history\"");
	arguments_append_scope(out, arguments);
	arguments_append_time(out, "from", arguments->from);
	arguments_append_time(out, "to", arguments->to);
	if (history->after.len) {
		buf_append_text(out, ",\"after\":\"");
		buf_append_slice(out, buf_slice(&history->after));
		buf_append_char(out, '"');
	}
	buf_printf(out, ",\"limit\":%llu", (unsigned long long)(left < PAGE_EVENTS ? left : PAGE_EVENTS));
	buf_append_text(out, arguments->reverse ? ",\"reverse\":true}" : "}");
}

static void go_behind(struct history *history, struct tgc_text place)
{
	buf_clear(&history->after);
	buf_append(&history->after, place.ptr, place.len);
}

static void show_chunk(struct ask *ask, struct tgc_text events)
{
	struct history *history = ask->context;
	struct tgc_event event;
	while (tgc_next_event(ask->client, &events, &event)) {
		show_event(&history->show, &event);
		if (event.id.len)
			go_behind(history, event.id);
	}
}

static bool has_all(const struct ask *ask)
{
	const struct history *history = ask->context;
	return ask->arguments->limit && history->show.shown >= ask->arguments->limit;
}

static void end_page(struct ask *ask, const struct tgc_reply *reply)
{
	struct history *history = ask->context;
	struct tgc_text next = tgc_find(reply->json, "/next"), trimmed = tgc_find(reply->json, "/trimmed");
	if (trimmed.len > 1 && trimmed.ptr[0] == '{') {
		fputs("tgcli: no longer kept: ", stderr);
		show_text(stderr, trimmed);
		fputc('\n', stderr);
	}
	if (next.len <= 2 || next.ptr[0] != '"' || has_all(ask)) {
		ask_end(ask, EXIT_SUCCESS);
		return;
	}
	go_behind(history, (struct tgc_text){next.ptr + 1, next.len - 2});
	ask_next(ask);
}

static void on_reply(struct ask *ask, const struct tgc_reply *reply)
{
	switch (reply->kind) {
	case TGC_REPLY_CHUNK:
		show_chunk(ask, reply->events);
		break;
	case TGC_REPLY_OK:
		end_page(ask, reply);
		break;
	case TGC_REPLY_ERROR:
		if (has_all(ask)) /* only the last word was lost */
			ask_end(ask, EXIT_SUCCESS);
		else
			ask_again(ask, reply);
		break;
	}
}

int command_history(const struct arguments *arguments)
{
	struct history history = {.show = {.format = arguments->format}};
	struct ask ask = {.arguments = arguments, .context = &history, .write = write_request, .on_reply = on_reply};
	int status = ask_run(&ask);
	if (status == EXIT_SUCCESS || history.show.shown)
		show_end(&history.show);
	buf_fini(&history.after);
	return status;
}
