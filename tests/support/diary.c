#include "tests/support/diary.h"

#include <check.h>
#include <string.h>

#include "tests/support/deadline.h"

#define BEAT_MS 5

static void on_state(struct tgc_client *client, void *context, const struct tgc_status *status)
{
	static const char *const names[] = {"idle", "connecting", "open", "waiting", "closed"};
	struct diary *diary = context;
	(void)client;
	buf_printf(&diary->text, "state %s %u %s\n", names[status->state], status->code, status->reason);
}

static void append(struct diary *diary, struct tgc_text text)
{
	buf_append(&diary->text, text.ptr, text.len);
	buf_append_char(&diary->text, ' ');
}

static void end_line(struct diary *diary)
{
	diary->text.bytes[diary->text.len - 1] = '\n';
}

static void on_event(struct tgc_client *client, void *context, const struct tgc_event *event)
{
	struct diary *diary = context;
	buf_printf(&diary->text, "event %u ", (unsigned)event->sub);
	append(diary, event->id);
	append(diary, event->channel);
	append(diary, event->data);
	end_line(diary);
	if (diary->close == client)
		tgc_close(client);
	if (diary->free == client)
		tgc_free(client);
}

static void on_cursor(struct tgc_client *client, void *context, uint64_t sub, struct tgc_text cursor)
{
	struct diary *diary = context;
	(void)client;
	buf_printf(&diary->text, "cursor %u ", (unsigned)sub);
	append(diary, cursor);
	end_line(diary);
}

static void on_gap(struct tgc_client *client, void *context, const struct tgc_gap *gap)
{
	struct diary *diary = context;
	(void)client;
	buf_printf(&diary->text, "gap %u ", (unsigned)gap->sub);
	append(diary, gap->after);
	append(diary, gap->before);
	buf_printf(&diary->text, "%d ", (int)gap->dropped);
	append(diary, gap->reason);
	end_line(diary);
}

static void on_notice(struct tgc_client *client, void *context, const struct tgc_notice *notice)
{
	struct diary *diary = context;
	(void)client;
	buf_append_text(&diary->text, "notice ");
	append(diary, notice->code);
	end_line(diary);
}

static void on_subscribed(struct tgc_client *client, void *context, uint64_t sub, const struct tgc_reply *reply)
{
	struct diary *diary = context;
	(void)client;
	buf_printf(&diary->text, "subscribed %u ", (unsigned)sub);
	append(diary, reply->kind == TGC_REPLY_OK ? (struct tgc_text){"ok", 2} : reply->code);
	end_line(diary);
}

void diary_on_reply(struct tgc_client *client, void *context, const struct tgc_reply *reply)
{
	static const char *const names[] = {"chunk ", "reply ", "error "};
	struct diary *diary = context;
	struct tgc_text events = reply->events;
	struct tgc_event event;
	buf_append_text(&diary->text, names[reply->kind]);
	if (reply->kind == TGC_REPLY_OK)
		append(diary, reply->json);
	while (reply->kind == TGC_REPLY_CHUNK && tgc_next_event(client, &events, &event))
		append(diary, event.data);
	if (reply->kind == TGC_REPLY_ERROR) {
		append(diary, reply->code);
		append(diary, reply->message);
	}
	end_line(diary);
}

static void on_replay(struct tgc_client *client, void *context, const struct tgc_replay *replay)
{
	static const char *const names[] = {"replay ", "replay gap ", "replay end "};
	struct diary *diary = context;
	struct tgc_text events = replay->events;
	struct tgc_event event;
	buf_append_text(&diary->text, names[replay->kind]);
	append(diary, replay->replay);
	append(diary, replay->cursor);
	while (tgc_next_event(client, &events, &event))
		append(diary, event.data);
	end_line(diary);
}

const struct tgc_handlers diary_handlers = {.on_state = on_state,
					    .on_event = on_event,
					    .on_cursor = on_cursor,
					    .on_gap = on_gap,
					    .on_notice = on_notice,
					    .on_replay = on_replay,
					    .on_subscribed = on_subscribed};

void diary_fini(struct diary *diary)
{
	buf_fini(&diary->text);
}

void diary_forget(struct diary *diary)
{
	buf_clear(&diary->text);
}

static const char *text_of(struct diary *diary)
{
	buf_append_char(&diary->text, '\0');
	diary->text.len--;
	return diary->text.bytes;
}

void diary_wait(struct diary *diary, struct tgc_client *client, const char *text)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (!strstr(text_of(diary), text)) {
		ck_assert_msg(!deadline_has_passed(deadline), "\"%s\" never came; what came:\n%s", text, text_of(diary));
		if (tgc_poll(client, BEAT_MS) == TGC_ENDED)
			ck_assert_msg(strstr(text_of(diary), text), "\"%s\" did not come before the end:\n%s", text, text_of(diary));
	}
}

unsigned diary_count(struct diary *diary, const char *text)
{
	unsigned count = 0;
	for (const char *at = text_of(diary); (at = strstr(at, text)); at += strlen(text))
		count++;
	return count;
}

void diary_expect(struct diary *diary, const char *text)
{
	ck_assert_msg(strstr(text_of(diary), text), "\"%s\" is not in:\n%s", text, text_of(diary));
}
