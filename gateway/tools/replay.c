/* tgcli replay: a range of the past at its pace. Its user moves it by lines on standard input. When the connection is
 * lost it begins again behind the last event that was shown, on whatever node answers. */
#include <stdlib.h>

#include "common/codec/json.h"
#include "gateway/tools/commands.h"
#include "gateway/tools/console.h"
#include "gateway/tools/show.h"

struct replay {
	const struct arguments *arguments;
	struct tgc_client *client;
	struct credential credential;
	struct console console;
	struct show show;
	struct buf key;    /* of the replay, as raw JSON; empty: there is none now */
	struct buf cursor; /* of what was shown; empty: nothing was */
	struct buf at;     /* the position, an id; empty: not known */
	struct buf speed;  /* as JSON; empty: as the gateway has it */
	size_t asked;      /* by the user, and not answered yet */
	bool is_paused, is_live, is_over;
	int status;
};

static void end(struct replay *replay, int status)
{
	replay->is_over = true;
	replay->status = status;
}

static void set(struct buf *buf, struct tgc_text text)
{
	buf_clear(buf);
	if (text.len)
		buf_append(buf, text.ptr, text.len);
}

/* The inside of a raw JSON string. */
static struct tgc_text inside(struct tgc_text raw)
{
	return raw.len > 2 && raw.ptr[0] == '"' ? (struct tgc_text){raw.ptr + 1, raw.len - 2}
	                                        : (struct tgc_text){NULL, 0};
}

/* False: it said why. */
static bool ask(struct replay *replay, struct buf *request, tgc_on_reply *on_reply)
{
	buf_append_char(request, '\0');
	enum tgc_result result =
	    buf_has_failed(request) ? TGC_NOMEM : tgc_request(replay->client, request->bytes, on_reply, replay);
	if (result)
		fprintf(stderr, "tgcli: %s\n", result == TGC_NOMEM ? "no memory" : tgc_why(replay->client));
	buf_fini(request);
	return result == TGC_OK;
}

/* --- Control ---------------------------------------------------------------------------------------------------------
 */

static void on_controlled(struct tgc_client *client, void *context, const struct tgc_reply *reply)
{
	struct replay *replay = context;
	struct tgc_text at = inside(tgc_find(reply->json, "/at")), state = inside(tgc_find(reply->json, "/state"));
	(void)client;
	replay->asked--;
	if (replay->is_over)
		return;
	if (reply->kind == TGC_REPLY_ERROR) {
		show_error(reply);
		return;
	}
	set(&replay->at, at);
	replay->is_paused = !slice_is((struct slice){state.ptr, state.len}, "playing");
	fputs("tgcli: ", stderr);
	show_text(stderr, state);
	fputs(" at ", stderr);
	show_text(stderr, at);
	fputc('\n', stderr);
	if (slice_is((struct slice){state.ptr, state.len}, "stopped"))
		end(replay, EXIT_SUCCESS);
}

/* members: what the deed needs beside its name, each with a comma in front. */
static void control(struct replay *replay, const char *deed, const char *members)
{
	struct buf request;
	if (!replay->key.len) {
		fprintf(stderr, "tgcli: %s\n", replay->is_live ? "it is live now" : "the replay has not begun yet");
		return;
	}
	buf_init(&request);
	buf_append_text(&request, "{\"op\":\"control\",\"replay\":");
	buf_append_slice(&request, buf_slice(&replay->key));
	buf_printf(&request, ",\"do\":\"%s\"%s}", deed, members);
	replay->asked += ask(replay, &request, on_controlled);
}

static void control_with(struct replay *replay, const char *deed, const struct buf *members)
{
	if (!buf_has_failed(members))
		control(replay, deed, members->bytes);
}

static void on_state_known(struct tgc_client *client, void *context, const struct tgc_reply *reply)
{
	struct replay *replay = context;
	(void)client;
	replay->asked--;
	if (replay->is_over)
		return;
	if (reply->kind == TGC_REPLY_ERROR) {
		show_error(reply);
		return;
	}
	show_text(stdout, tgc_find(reply->json, "/state"));
	putchar('\n');
}

/* The state of the session where the replay stands. */
static void show_state_here(struct replay *replay)
{
	struct buf request;
	if (!replay->arguments->only_session || !replay->at.len) {
		fputs("tgcli: a state needs one --session, and a place in it\n", stderr);
		return;
	}
	buf_init(&request);
	buf_append_text(&request, "{\"op\":\"state\",\"session\":");
	json_append_string(&request, slice_of(replay->arguments->only_session));
	buf_append_text(&request, ",\"at\":\"");
	buf_append_slice(&request, buf_slice(&replay->at));
	buf_append_text(&request, "\"}");
	replay->asked += ask(replay, &request, on_state_known);
}

/* A number as it is, anything else as a string. */
static void append_speed(struct buf *out, const char *speed)
{
	enum json_kind kind;
	if (json_is_valid(slice_of(speed), &kind, NULL) && kind == JSON_NUMBER)
		buf_append_text(out, speed);
	else
		json_append_string(out, slice_of(speed));
}

static void step(struct replay *replay, const char *sign, const char *count)
{
	char members[64];
	if (*count < '1' || *count > '9' || strspn(count, "0123456789") != strlen(count)) {
		fputs("tgcli: a whole number above 0 is needed\n", stderr);
		return;
	}
	snprintf(members, sizeof members, ",\"count\":%s%.20s", sign, count);
	control(replay, "step", members);
}

static void on_line(void *context, char *line)
{
	struct replay *replay = context;
	char *word = strtok(line, " \t\r"), *argument = strtok(NULL, "\r");
	struct buf members;
	if (!word)
		return;
	if (argument)
		argument += strspn(argument, " \t");
	buf_init(&members);
	if (strcmp(word, "pause") == 0 || strcmp(word, "play") == 0 || strcmp(word, "stop") == 0) {
		control(replay, word, "");
	} else if (strcmp(word, "step") == 0 || strcmp(word, "back") == 0) {
		step(replay, *word == 'b' ? "-" : "", argument ? argument : "1");
	} else if (strcmp(word, "seek") == 0 && argument) {
		arguments_append_time(&members, "to", argument);
		buf_append_char(&members, '\0');
		control_with(replay, word, &members);
	} else if (strcmp(word, "speed") == 0 && argument) {
		buf_clear(&replay->speed);
		append_speed(&replay->speed, argument);
		buf_append_text(&members, ",\"speed\":");
		buf_append_slice(&members, buf_slice(&replay->speed));
		buf_append_char(&members, '\0');
		control_with(replay, word, &members);
	} else if (strcmp(word, "state") == 0) {
		show_state_here(replay);
	} else {
		fputs("tgcli: pause, play, step [N], back [N], seek TIME, speed X, state, stop\n", stderr);
	}
	buf_fini(&members);
}

/* --- What comes ------------------------------------------------------------------------------------------------------
 */

static void go_live(struct replay *replay)
{
	const struct arguments *arguments = replay->arguments;
	struct buf filter;
	buf_init(&filter);
	arguments_append_filter(&filter, arguments, true);
	buf_append_char(&filter, '\0');
	buf_append_char(&replay->cursor, '\0');
	const struct tgc_subscription wish = {
	    .channels = arguments->channels,
	    .channel_count = arguments->channel_count,
	    .filter = filter.bytes,
	    .since = replay->cursor.len > 1 ? replay->cursor.bytes
	             : arguments->from      ? arguments->from
	                                    : "earliest",
	};
	bool is_done = !buf_has_failed(&filter) && tgc_subscribe(replay->client, &wish, NULL) == TGC_OK;
	if (!is_done)
		end(replay, EXIT_REFUSED);
	replay->is_live = true;
	buf_clear(&replay->key);
	buf_fini(&filter);
}

static void take_end(struct replay *replay)
{
	replay->is_paused = true;
	if (replay->arguments->live)
		go_live(replay);
	else if (replay->console.fd < 0)
		end(replay, EXIT_SUCCESS);
	else
		fputs("tgcli: the end; it takes commands until stop or the end of input\n", stderr);
}

static void take_events(struct replay *replay, const struct tgc_replay *batch)
{
	struct tgc_text events = batch->events;
	struct tgc_event event;
	while (tgc_next_event(replay->client, &events, &event)) {
		show_event(&replay->show, &event);
		set(&replay->at, event.id);
	}
	set(&replay->cursor, batch->cursor);
}

static void on_replay(struct tgc_client *client, void *context, const struct tgc_replay *message)
{
	struct replay *replay = context;
	(void)client;
	switch (message->kind) {
	case TGC_REPLAY_EVENTS:
		take_events(replay, message);
		break;
	case TGC_REPLAY_GAP:
		fputs("tgcli: gap ", stderr);
		show_text(stderr, message->json);
		fputc('\n', stderr);
		break;
	case TGC_REPLAY_END:
		take_end(replay);
		break;
	}
}

static void on_begun(struct tgc_client *client, void *context, const struct tgc_reply *reply)
{
	struct replay *replay = context;
	(void)client;
	if (replay->is_over)
		return;
	if (reply->kind == TGC_REPLY_ERROR) {
		if (slice_is((struct slice){reply->code.ptr, reply->code.len}, "disconnected"))
			return; /* it begins anew with the next connection */
		show_error(reply);
		end(replay, EXIT_REFUSED);
		return;
	}
	set(&replay->key, tgc_find(reply->json, "/replay"));
	if (replay->is_paused)
		control(replay, "pause", "");
}

static void begin(struct replay *replay)
{
	const struct arguments *arguments = replay->arguments;
	struct buf request;
	buf_init(&request);
	buf_append_text(&request, "{\"op\":\"replay\"");
	arguments_append_scope(&request, arguments);
	arguments_append_time(&request, "to", arguments->to);
	if (replay->cursor.len) {
		buf_append_text(&request, ",\"after\":\"");
		buf_append_slice(&request, buf_slice(&replay->cursor));
		buf_append_char(&request, '"');
	} else {
		arguments_append_time(&request, "from", arguments->from);
	}
	if (replay->speed.len) {
		buf_append_text(&request, ",\"speed\":");
		buf_append_slice(&request, buf_slice(&replay->speed));
	}
	if (arguments->max_gap_ms)
		buf_printf(&request, ",\"maxGapMs\":%llu", (unsigned long long)arguments->max_gap_ms);
	buf_append_char(&request, '}');
	if (!ask(replay, &request, on_begun))
		end(replay, EXIT_REFUSED);
}

static void on_state(struct tgc_client *client, void *context, const struct tgc_status *status)
{
	struct replay *replay = context;
	show_state(status);
	if (!credential_renew(&replay->credential, client, status) && status->state == TGC_CLOSED)
		end(replay, EXIT_REFUSED);
	if (status->state != TGC_OPEN)
		buf_clear(&replay->key);
	else if (!replay->is_live)
		begin(replay);
}

static void on_event(struct tgc_client *client, void *context, const struct tgc_event *event)
{
	struct replay *replay = context;
	(void)client;
	show_event(&replay->show, event);
}

static void on_gap(struct tgc_client *client, void *context, const struct tgc_gap *gap)
{
	(void)client;
	(void)context;
	show_gap(gap);
}

static void on_notice(struct tgc_client *client, void *context, const struct tgc_notice *notice)
{
	struct replay *replay = context;
	show_notice(notice);
	credential_notice(&replay->credential, client, notice);
}

static void run(struct replay *replay)
{
	while (!replay->is_over && !commands_interrupted()) {
		bool is_readable;
		bool is_up = commands_turn_beside(replay->client, &replay->credential, replay->console.fd, &is_readable);
		if (!is_up && !replay->is_over)
			end(replay, EXIT_REFUSED);
		if (is_readable && !replay->is_over)
			console_read(&replay->console, on_line, replay);
		bool stands = replay->is_paused && !replay->is_live && !replay->asked;
		if (stands && replay->console.fd < 0)
			end(replay, EXIT_SUCCESS);
	}
	show_end(&replay->show);
}

int command_replay(const struct arguments *arguments)
{
	struct replay replay = {.arguments = arguments, .show = {.format = arguments->format}};
	const struct tgc_handlers handlers = {.context = &replay,
	                                      .on_state = on_state,
	                                      .on_event = on_event,
	                                      .on_gap = on_gap,
	                                      .on_notice = on_notice,
	                                      .on_replay = on_replay};
	replay.client = commands_client(arguments, &replay.credential, &handlers);
	console_open(&replay.console, arguments->control);
	if (arguments->speed)
		append_speed(&replay.speed, arguments->speed);
	if (replay.client)
		run(&replay);
	else
		end(&replay, EXIT_USAGE);
	bool was_over = replay.is_over;
	replay.is_over = true; /* what ends with the client is of no interest */
	tgc_free(replay.client);
	credential_close(&replay.credential);
	buf_fini(&replay.key);
	buf_fini(&replay.cursor);
	buf_fini(&replay.at);
	buf_fini(&replay.speed);
	return was_over ? replay.status : EXIT_SUCCESS;
}
