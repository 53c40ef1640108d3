/* The exchange of one worker: its sessions, their subscriptions, the cohorts and the index, and the timers of all of
 * them. Touched only by that worker's thread; knows no socket, loop or transport.
 * A turn of the worker is: exchange_deliver() for each batch that waits, session_...() for what clients sent, then once
 * exchange_end_turn(), which writes the batches and gives the time of the next one. */
#ifndef GATEWAY_SESSION_EXCHANGE_H
#define GATEWAY_SESSION_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/protocol/record.h"
#include "gateway/feed/feed.h"
#include "gateway/filter/filter.h"
#include "gateway/history/question.h"

struct alarm;
struct auth;
struct connections;
struct exchange;
struct intake_fields;
struct rates;

/* Where the exchange asks about the past; filled by the worker. */
struct exchange_past {
	/* Owns the question; its answer comes by exchange_answer() on a later turn, always, unless it was cancelled. NULL: there is
	 * no history (history.enabled = no). */
	void (*ask)(void *context, struct question *question);
	void *context;
};

struct exchange_settings {
	const char *node, *version; /* for welcome */
	struct filter_patterns served;
	bool tells_clients; /* the fleet, when clients come and go */
	uint64_t heartbeat_ns;
	uint64_t batch_interval_ns, batch_max_delay_ns;
	size_t batch_max_events, batch_max_bytes;
	size_t slow_threshold_bytes;
	int deflate_level;        /* 1 to 9 */
	size_t deflate_min_bytes; /* shorter messages go as they are */
	size_t subscriptions_max, message_bytes_max;
	uint64_t commands_per_second; /* of one session, and over HTTP of one identity or address; 0: no limit */
	uint64_t events_per_second;   /* to one session; 0: no limit */
	uint64_t history_events_per_second; /* of these, events of the past */
	uint64_t connections_per_identity;  /* for welcome */
	const struct intake_fields *fields; /* of the payloads that clients publish; NULL: intake_fields_default */
	struct exchange_past past;
	uint64_t past_timeout_ns;     /* of one question */
	size_t past_requests_max;     /* requests for the past under way, of one session */
	size_t ring_records_max, ring_bytes_max;
	size_t delta_bytes_max; /* for the texts that deltas refer to; 0: nobody gets deltas */
	struct rates *request_rates;     /* of requests over HTTP, shared by all workers; NULL: they have no limit */
	struct connections *connections; /* counts those of an identity that op auth tells; NULL: nobody does */
	struct auth *auth;            /* judges the credentials that clients bring by op auth; NULL: none is good */
	uint64_t auth_timeout_ns;     /* for a client that has to bring one */
};

/* Whose connections an operator ends: those of an identity, or (client is not 0) one. */
struct exchange_culprit {
	struct slice identity;
	uint64_t client;
	const char *reason; /* told to the client; NULL: none */
};

enum exchange_notice { NOTICE_REDIS_DOWN, NOTICE_REDIS_UP };

struct exchange *exchange_new(const struct exchange_settings *settings) MUST_USE; /* settings are copied, their texts borrowed */
void exchange_free(struct exchange *exchange); /* all its sessions must be closed */

void exchange_deliver(struct exchange *exchange, const struct record_batch *batch);
/* What the feed says of itself, when it changes; comes before the batches that it is about. */
void exchange_feed_state(struct exchange *exchange, const struct feed_state *state);
void exchange_answer(struct exchange *exchange, struct answer *answer); /* owns it */
void exchange_notice(struct exchange *exchange, enum exchange_notice notice); /* tells every session */
/* Tells every session when to reconnect and closes them one by one over spread_ns from now (0: at once). */
void exchange_drain(struct exchange *exchange, uint64_t spread_ns);
/* The alarm (alarms.h) goes off in a turn when that time has passed. */
void exchange_set_alarm(struct exchange *exchange, struct alarm *alarm, uint64_t wait_ns);
/* Flushes what is due and runs timers. Gives the monotonic time (ns) at which it wants to be called again at the latest,
 * UINT64_MAX: not before something happens. */
uint64_t exchange_end_turn(struct exchange *exchange);
/* Keys were read anew: ends the sessions and calls of the HTTP API whose key is gone. */
void exchange_auth_reloaded(struct exchange *exchange);
/* Ends sessions and calls of the HTTP API; gives how many. */
size_t exchange_disconnect(struct exchange *exchange, const struct exchange_culprit *culprit);
size_t exchange_session_count(const struct exchange *exchange);

#endif
