/* tgcli watch: one line an event, each once and in order, whatever happens to nodes; gaps and notices on standard error. */
#include <stdlib.h>

#include "gateway/tools/commands.h"
#include "gateway/tools/show.h"

struct watch {
	const struct arguments *arguments;
	struct credential credential;
	struct show show;
	bool is_over, has_told; /* that the node could not yet */
	int status; /* the exit status once is_over */
};

static void end(struct watch *watch, int status)
{
	watch->is_over = true;
	watch->status = status;
}

static void on_state(struct tgc_client *client, void *context, const struct tgc_status *status)
{
	struct watch *watch = context;
	show_state(status);
	if (!credential_renew(&watch->credential, client, status) && status->state == TGC_CLOSED)
		end(watch, EXIT_REFUSED);
}

static void on_event(struct tgc_client *client, void *context, const struct tgc_event *event)
{
	struct watch *watch = context;
	(void)client;
	if (watch->is_over)
		return;
	show_event(&watch->show, event);
	if (watch->show.shown == watch->arguments->count)
		end(watch, EXIT_SUCCESS);
}

static void on_gap(struct tgc_client *client, void *context, const struct tgc_gap *gap)
{
	(void)client;
	(void)context;
	show_gap(gap);
}

static void on_notice(struct tgc_client *client, void *context, const struct tgc_notice *notice)
{
	struct watch *watch = context;
	show_notice(notice);
	credential_notice(&watch->credential, client, notice);
}

static void on_postponed(struct tgc_client *client, void *context, uint64_t sub, const struct tgc_reply *reply)
{
	struct watch *watch = context;
	(void)client;
	(void)sub;
	show_delay(&watch->has_told, reply);
}

static void on_subscribed(struct tgc_client *client, void *context, uint64_t sub, const struct tgc_reply *reply)
{
	struct watch *watch = context;
	struct tgc_status status;
	struct tgc_text recorded = tgc_find(reply->json, "/recorded");
	(void)sub;
	watch->has_told = false;
	if (reply->kind == TGC_REPLY_ERROR) {
		show_error(reply);
		end(watch, EXIT_REFUSED);
		return;
	}
	tgc_status(client, &status);
	fprintf(stderr, "tgcli: watching %s\n", status.url);
	if (slice_is((struct slice){recorded.ptr, recorded.len}, "false"))
		fputs("tgcli: events are not recorded now: what is published while there is no connection will be missing\n", stderr);
}

static bool subscribe(struct tgc_client *client, const struct arguments *arguments)
{
	struct buf filter;
	buf_init(&filter);
	arguments_append_filter(&filter, arguments, true);
	buf_append_char(&filter, '\0');
	const struct tgc_subscription wish = {.channels = arguments->channels,
					      .channel_count = arguments->channel_count,
					      .filter = filter.bytes,
					      .since = arguments->since,
					      .slow = arguments->slow,
					      .delta = arguments->delta};
	bool is_done = !buf_has_failed(&filter) && tgc_subscribe(client, &wish, NULL) == TGC_OK;
	if (!is_done)
		fprintf(stderr, "tgcli: %s\n", tgc_why(client));
	buf_fini(&filter);
	return is_done;
}

int command_watch(const struct arguments *arguments)
{
	struct watch watch = {.arguments = arguments, .show = {.format = arguments->format}};
	const struct tgc_handlers handlers = {.context = &watch,
					      .on_state = on_state,
					      .on_event = on_event,
					      .on_gap = on_gap,
					      .on_notice = on_notice,
					      .on_subscribed = on_subscribed,
					      .on_postponed = on_postponed};
	struct tgc_client *client = commands_client(arguments, &watch.credential, &handlers);
	if (!client || !subscribe(client, arguments)) {
		end(&watch, EXIT_USAGE);
	} else {
		while (!watch.is_over && !commands_interrupted()) {
			if (!commands_turn(client, &watch.credential, -1) && !watch.is_over)
				end(&watch, EXIT_REFUSED);
		}
		show_end(&watch.show);
	}
	tgc_free(client);
	credential_close(&watch.credential);
	return watch.is_over ? watch.status : EXIT_SUCCESS;
}
