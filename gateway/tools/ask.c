#include "gateway/tools/ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/tools/show.h"

#define TRIALS_MAX 20
#define AGAIN_MS 500
#define ROUNDS_MAX 5 /* over all nodes, after one of them has answered */
#define NEVER UINT64_MAX

void ask_end(struct ask *ask, int status)
{
	ask->is_over = true;
	ask->status = status;
}

void ask_next(struct ask *ask)
{
	ask->trials = 0;
	ask->again_at_ms = 0;
}

void ask_again(struct ask *ask, const struct tgc_reply *error)
{
	if (!error->temporary || ++ask->trials == TRIALS_MAX) {
		show_error(error);
		ask_end(ask, EXIT_REFUSED);
		return;
	}
	show_delay(&ask->has_told, error);
	ask->again_at_ms = clock_mono_ms() + (error->retry_after_ms ? error->retry_after_ms : AGAIN_MS);
}

static void on_state(struct tgc_client *client, void *context, const struct tgc_status *status)
{
	struct ask *ask = context;
	struct tgc_status shown = *status;
	ask->was_open = ask->was_open || status->state == TGC_OPEN;
	size_t failures_max = ask->arguments->url_count * (ask->was_open ? ROUNDS_MAX : 1);
	if (status->state == TGC_WAITING && status->failures >= failures_max)
		shown.state = TGC_CLOSED; /* there is no next time */
	show_state(&shown);
	if (!credential_renew(&ask->credential, client, status) && shown.state == TGC_CLOSED)
		ask_end(ask, EXIT_REFUSED);
}

static void on_notice(struct tgc_client *client, void *context, const struct tgc_notice *notice)
{
	struct ask *ask = context;
	credential_notice(&ask->credential, client, notice);
}

static void on_reply(struct tgc_client *client, void *context, const struct tgc_reply *reply)
{
	struct ask *ask = context;
	(void)client;
	if (!ask->is_over)
		ask->on_reply(ask, reply);
}

static void send_request(struct ask *ask)
{
	struct buf request;
	buf_init(&request);
	ask->write(ask, &request);
	buf_append_char(&request, '\0');
	enum tgc_result result = buf_has_failed(&request) ? TGC_NOMEM : tgc_request(ask->client, request.bytes, on_reply, ask);
	if (result) {
		fprintf(stderr, "tgcli: %s\n", result == TGC_NOMEM ? "no memory" : tgc_why(ask->client));
		ask_end(ask, EXIT_REFUSED);
	}
	ask->again_at_ms = NEVER;
	buf_fini(&request);
}

int ask_run(struct ask *ask)
{
	const struct tgc_handlers handlers = {.context = ask, .on_state = on_state, .on_notice = on_notice};
	struct tgc_status status;
	ask->client = commands_client(ask->arguments, &ask->credential, &handlers);
	if (!ask->client)
		ask_end(ask, EXIT_USAGE);
	while (!ask->is_over && !commands_interrupted()) {
		uint64_t now_ms = clock_mono_ms();
		int left_ms = ask->again_at_ms == NEVER || ask->again_at_ms <= now_ms ? -1 : (int)(ask->again_at_ms - now_ms);
		tgc_status(ask->client, &status);
		if (status.state == TGC_OPEN && ask->again_at_ms <= now_ms)
			send_request(ask);
		else if (!commands_turn(ask->client, &ask->credential, left_ms) && !ask->is_over)
			ask_end(ask, EXIT_REFUSED);
	}
	bool was_over = ask->is_over;
	ask->is_over = true; /* what ends with the client is of no interest */
	tgc_free(ask->client);
	credential_close(&ask->credential);
	return was_over ? ask->status : EXIT_SUCCESS;
}
