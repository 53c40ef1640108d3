/* The inside of a client, for the files of tgclient.h alone. A client is turned by tgc_step(); every end of a connection goes
 * through tgc_lose(), every change of state is told by it or by the step.
 * Handlers may close the client or free it: whoever calls one looks at the connection's number (or is_doomed) before it goes
 * on with what it held. Subscriptions are only marked by handlers, and freed by tgc_subscriptions_sweep(). */
#ifndef COMMON_CLIENT_TGCLIENT_INSIDE_H
#define COMMON_CLIENT_TGCLIENT_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/client/backoff.h"
#include "common/client/link.h"
#include "common/client/message.h"
#include "common/client/texts.h"
#include "common/client/tgclient.h"
#include "common/data/buf.h"

#define TGC_NEVER UINT64_MAX
#define TGC_KEY_MAX 4096   /* bytes of a node's name for a subscription */
#define TGC_CURSOR_MAX 256 /* bytes of a cursor */

enum tgc_since { TGC_SINCE_NONE, TGC_SINCE_JSON, TGC_SINCE_AGO };
enum tgc_sub_state {
	TGC_SUB_WANTED, /* to be asked for */
	TGC_SUB_ASKED,  /* its request waits for the reply */
	TGC_SUB_LIVE,   /* the node took it */
};

struct tgc_sub {
	struct list link;
	uint64_t sub;
	enum tgc_sub_state state;
	bool is_dropped;    /* its user has taken it back: nothing is told any more */
	bool was_live;      /* the node took it at least once */
	bool asked_since;   /* the last request carried a since */
	uint64_t request;   /* TGC_SUB_ASKED: its id */
	struct buf members; /* of the request: ,"channels":[…],… */
	struct buf key;     /* TGC_SUB_LIVE: what the node calls it */
	struct buf cursor;  /* where it would resume; empty: as since says */
	enum tgc_since since_kind;
	struct buf since;   /* TGC_SINCE_JSON: a JSON value */
	uint64_t ago_ms;    /* TGC_SINCE_AGO: this long before asked_at_ms */
	uint64_t asked_at_ms;
	bool has_deltas;
	bool asked_resync;  /* full events are to come */
	struct tgc_texts texts;
};

struct tgc_pending {
	struct list link;
	uint64_t id;
	tgc_on_reply *on_reply;
	void *context;
};

struct tgc_client {
	struct tgc_url *urls;
	char **url_texts;
	size_t url_count, url_at;
	bool is_moving; /* the next attempt is at another node */
	char *token; /* may be NULL */
	struct tgc_trust *trust; /* NULL where no url is secure */
	struct tgc_handlers handlers;
	uint64_t connect_timeout_ms;
	size_t requests_max, subscriptions_max;

	enum tgc_state state;
	char reason[TGC_WHY_MAX];
	unsigned code;
	struct tgc_backoff backoff;
	struct tgc_link link;
	uint64_t connection;    /* counts; changes when one ends */
	uint64_t retry_at_ms;   /* TGC_WAITING */
	uint64_t welcome_by_ms; /* TGC_CONNECTING with an open link; else TGC_NEVER */
	uint64_t open_at_ms, heard_at_ms, silence_ms; /* silence_ms: TGC_NEVER: unlimited */
	uint64_t drain_until_ms; /* 0: the node did not say that it drains */
	uint64_t node_bytes_max; /* the longest message that the node takes */

	struct list subs; /* in the order in which they were made */
	size_t sub_count, asked_count;
	uint64_t next_sub;
	uint64_t hold_until_ms; /* no subscription is asked for before; 0: go on */
	bool has_work;          /* subscriptions changed: a step is due now */
	struct list pending;    /* oldest first */
	size_t pending_count;
	uint64_t next_request;

	struct buf text, channel; /* scratch: what is being written; what a handler is shown */
	struct buf element, delta; /* an event made whole again; the delta that it came as */
	unsigned depth;           /* of calls that may call handlers */
	bool is_doomed;           /* tgc_free was called in a handler */
	char why[TGC_WHY_MAX];
};

/* tgclient.c */
enum tgc_result tgc_fail(struct tgc_client *client, enum tgc_result result, const char *why) MUST_USE; /* sets why */
enum tgc_result tgc_send_text(struct tgc_client *client, struct slice text) MUST_USE;
void tgc_tell_state(struct tgc_client *client);
/* Around whatever may call handlers. tgc_leave frees a doomed client. */
void tgc_enter(struct tgc_client *client);
void tgc_leave(struct tgc_client *client);
/* Ends the connection, if there is one, and what hangs on it. is_final: the client is closed; else it waits to try again,
 * at another node where there is one. asked_ms: the pause that the node asked for. */
void tgc_lose(struct tgc_client *client, bool is_final, unsigned code, const char *reason, uint64_t asked_ms);

/* tgclient_messages.c. */
void tgc_dispatch(struct tgc_client *client, uint64_t now_ms); /* all that the inbox holds */

/* tgclient_subscriptions.c */
void tgc_subscriptions_free(struct tgc_client *client);
void tgc_subscriptions_rewind(struct tgc_client *client); /* the connection ended */
void tgc_subscriptions_sweep(struct tgc_client *client, uint64_t now_ms); /* asks for what is wanted, lets go what is not */
bool tgc_subscriptions_wait(const struct tgc_client *client); /* some are wanted and may not be asked for yet */
bool tgc_subscription_reply(struct tgc_client *client, const struct tgc_message *message, uint64_t now_ms); /* false: none of ours */

/* Whether another one goes on with what the node calls it. */
bool tgc_subscription_is_shared(const struct tgc_client *client, const struct tgc_sub *one);

/* tgclient_deltas.c */
/* Takes the next event off an array, made whole; ret_event is the one before, or zero. False: there is none more, the subscription
 * waits to be asked for anew, or a handler has ended the connection. */
bool tgc_next_change(struct tgc_client *client, struct tgc_sub *sub, const struct tgc_message *message, struct tgc_text *events,
		     struct tgc_event *ret_event);
/* It would resume behind that event, which came in a batch with that cursor. */
void tgc_stop_behind(struct tgc_sub *sub, struct tgc_text id, struct slice cursor);

/* tgclient_requests.c */
void tgc_requests_end(struct tgc_client *client); /* each with an error */
void tgc_request_reply(struct tgc_client *client, const struct tgc_message *message);

#endif
