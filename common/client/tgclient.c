#include "common/client/tgclient.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/client/tgclient_inside.h"

#define CONNECT_TIMEOUT_MS 10000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 10000
#define MESSAGE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define OUTPUT_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define REQUESTS_MAX 1024
#define SUBSCRIPTIONS_MAX 1024
#define STABLE_MS 1000 /* a connection that was open for this long was no failure */

/* --- Life --------------------------------------------------------------------------------------------------------- */

static const char *judge_options(const struct tgc_options *options)
{
	if (!options->url_count || !options->urls)
		return "no url is given";
	if (options->token && !tgc_upgrade_is_header_value(options->token))
		return "token: holds a character that a header line cannot carry";
	return NULL;
}

/* NULL: all were taken. */
static const char *take_urls(struct tgc_client *client, const struct tgc_options *options, char ret_why[TGC_WHY_MAX])
{
	client->urls = calloc(options->url_count, sizeof *client->urls);
	client->url_texts = calloc(options->url_count, sizeof *client->url_texts);
	if (!client->urls || !client->url_texts)
		return "no memory for the client";
	for (size_t i = 0; i < options->url_count; i++) {
		enum err error = tgc_url_parse(&client->urls[i], options->urls[i]);
		client->url_texts[i] = strdup(options->urls[i]);
		client->url_count++;
		if (error == ERR_NOMEM || !client->url_texts[i])
			return "no memory for the client";
		if (error) {
			snprintf(ret_why, TGC_WHY_MAX, "%.120s: not of the form ws://host[:port][/path][?query] or wss://...", options->urls[i]);
			return ret_why;
		}
	}
	return NULL;
}

/* NULL: there is what the urls need. */
static const char *take_trust(struct tgc_client *client, const struct tgc_options *options, char ret_why[TGC_WHY_MAX])
{
	bool is_needed = false;
	for (size_t i = 0; i < client->url_count; i++)
		is_needed |= client->urls[i].is_secure;
	client->trust = is_needed ? tgc_trust_new(options, ret_why) : NULL;
	client->link.trust = client->trust;
	return is_needed && !client->trust ? ret_why : NULL;
}

static void set_up(struct tgc_client *client, const struct tgc_options *options)
{
	client->handlers = options->handlers;
	client->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	client->requests_max = options->requests_max ? options->requests_max : REQUESTS_MAX;
	client->subscriptions_max = options->subscriptions_max ? options->subscriptions_max : SUBSCRIPTIONS_MAX;
	client->backoff.min_ms = options->backoff_min_ms ? options->backoff_min_ms : BACKOFF_MIN_MS;
	client->backoff.max_ms = options->backoff_max_ms ? options->backoff_max_ms : BACKOFF_MAX_MS;
	client->backoff.nodes = options->url_count ? (unsigned)options->url_count : 1;
	random_init(&client->backoff.random);
	client->welcome_by_ms = client->silence_ms = client->node_bytes_max = TGC_NEVER;
	client->next_sub = client->next_request = 1;
	tgc_link_init(&client->link, options->message_bytes_max ? options->message_bytes_max : MESSAGE_BYTES_MAX,
		      options->output_bytes_max ? options->output_bytes_max : OUTPUT_BYTES_MAX);
	client->link.offers_deflate = !options->is_uncompressed;
	list_init(&client->subs);
	list_init(&client->pending);
	buf_init(&client->text);
	buf_init(&client->channel);
	buf_init(&client->element);
	buf_init(&client->delta);
}

static void free_memory(struct tgc_client *client)
{
	tgc_link_fini(&client->link);
	tgc_subscriptions_free(client);
	for (size_t i = 0; i < client->url_count; i++) {
		tgc_url_fini(&client->urls[i]);
		free(client->url_texts[i]);
	}
	free(client->urls);
	free(client->url_texts);
	free(client->token);
	tgc_trust_free(client->trust);
	buf_fini(&client->text);
	buf_fini(&client->channel);
	buf_fini(&client->element);
	buf_fini(&client->delta);
	free(client);
}

struct tgc_client *tgc_new(const struct tgc_options *options, char ret_why[TGC_WHY_MAX])
{
	char text[TGC_WHY_MAX];
	const char *why = judge_options(options);
	struct tgc_client *client = why ? NULL : calloc(1, sizeof *client);
	if (client) {
		set_up(client, options);
		why = take_urls(client, options, text);
		if (!why)
			why = take_trust(client, options, text);
		if (!why && options->token && !(client->token = strdup(options->token)))
			why = "no memory for the client";
		if (!why)
			return client;
		free_memory(client);
	}
	if (ret_why)
		snprintf(ret_why, TGC_WHY_MAX, "%s", why ? why : "no memory for the client");
	return NULL;
}

void tgc_enter(struct tgc_client *client)
{
	client->depth++;
}

void tgc_leave(struct tgc_client *client)
{
	if (--client->depth == 0 && client->is_doomed)
		free_memory(client);
}

void tgc_free(struct tgc_client *client)
{
	if (!client || client->is_doomed)
		return;
	tgc_enter(client);
	client->is_doomed = true;
	client->handlers = (struct tgc_handlers){.context = NULL};
	tgc_close(client);
	tgc_leave(client); /* NOLINT(clang-analyzer-unix.Malloc): the one above does not free it: it is not the last to leave */
}

/* --- State --------------------------------------------------------------------------------------------------------- */

enum tgc_result tgc_fail(struct tgc_client *client, enum tgc_result result, const char *why)
{
	snprintf(client->why, sizeof client->why, "%s", why);
	return result;
}

const char *tgc_why(const struct tgc_client *client)
{
	return client->why;
}

void tgc_status(const struct tgc_client *client, struct tgc_status *ret_status)
{
	uint64_t now_ms = clock_mono_ms();
	bool waits = client->state == TGC_WAITING && client->retry_at_ms > now_ms;
	*ret_status = (struct tgc_status){.state = client->state,
					  .url = client->url_texts[client->url_at],
					  .reason = client->reason,
					  .code = client->code,
					  .failures = client->backoff.failures,
					  .retry_in_ms = waits ? client->retry_at_ms - now_ms : 0};
}

void tgc_tell_state(struct tgc_client *client)
{
	struct tgc_status status;
	tgc_status(client, &status);
	if (client->handlers.on_state)
		client->handlers.on_state(client, client->handlers.context, &status);
}

/* A reason may come from anywhere and be shown on a terminal. */
static void set_reason(struct tgc_client *client, unsigned code, const char *reason)
{
	client->code = code;
	snprintf(client->reason, sizeof client->reason, "%s", reason);
	for (char *at = client->reason; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7F)
			*at = '?';
}

static void wait_for_next(struct tgc_client *client, uint64_t asked_ms, uint64_t now_ms)
{
	uint64_t pause_ms = tgc_backoff_fail(&client->backoff, asked_ms);
	client->retry_at_ms = now_ms + pause_ms;
	if (client->drain_until_ms) /* the node spreads its clients over time by itself */
		client->retry_at_ms = client->drain_until_ms > now_ms ? client->drain_until_ms : now_ms;
	client->state = TGC_WAITING;
}

void tgc_lose(struct tgc_client *client, bool is_final, unsigned code, const char *reason, uint64_t asked_ms)
{
	uint64_t now_ms = clock_mono_ms(), connection = ++client->connection;
	if (client->state == TGC_OPEN && now_ms - client->open_at_ms >= STABLE_MS)
		tgc_backoff_succeed(&client->backoff);
	set_reason(client, code, reason);
	tgc_link_close(&client->link);
	if (is_final)
		client->state = TGC_CLOSED;
	else
		wait_for_next(client, asked_ms, now_ms);
	client->is_moving = !is_final;
	client->drain_until_ms = 0;
	client->welcome_by_ms = TGC_NEVER;
	tgc_subscriptions_rewind(client);
	tgc_requests_end(client);
	if (client->connection != connection)
		return;
	tgc_tell_state(client);
}

void tgc_open(struct tgc_client *client)
{
	if (client->is_doomed || client->state == TGC_CONNECTING || client->state == TGC_OPEN)
		return;
	if (client->state != TGC_WAITING)
		tgc_backoff_succeed(&client->backoff);
	client->state = TGC_WAITING;
	client->retry_at_ms = 0;
}

void tgc_close(struct tgc_client *client)
{
	static const char normal[2] = {1000 >> 8, (char)(1000 & 0xFF)};
	if (client->state == TGC_CLOSED)
		return;
	tgc_enter(client);
	if (client->link.phase == TGC_LINK_OPEN &&
	    tgc_link_send(&client->link, WSFRAME_CLOSE, (struct slice){normal, sizeof normal}) == OK)
		tgc_link_flush(&client->link);
	tgc_lose(client, true, 1000, "closed by the application", 0);
	tgc_leave(client);
}

enum tgc_result tgc_set_token(struct tgc_client *client, const char *token)
{
	if (token && !tgc_upgrade_is_header_value(token))
		return tgc_fail(client, TGC_INVALID, "token: holds a character that a header line cannot carry");
	char *copy = token ? strdup(token) : NULL;
	if (token && !copy)
		return tgc_fail(client, TGC_NOMEM, "no memory for the token");
	free(client->token);
	client->token = copy;
	return TGC_OK;
}

enum tgc_result tgc_send_text(struct tgc_client *client, struct slice text)
{
	if (buf_has_failed(&client->text))
		return tgc_fail(client, TGC_NOMEM, "no memory for the request");
	if (text.len > client->node_bytes_max)
		return tgc_fail(client, TGC_LIMIT, "longer than the messages that the node takes");
	switch (tgc_link_send(&client->link, WSFRAME_TEXT, text)) {
	case OK:
		return TGC_OK;
	case ERR_NOMEM:
		return tgc_fail(client, TGC_NOMEM, "no memory for the request");
	case ERR_LIMIT:
		return tgc_fail(client, TGC_LIMIT, "too much waits to be sent");
	default:
		return tgc_fail(client, TGC_OFFLINE, "the connection is ending");
	}
}
