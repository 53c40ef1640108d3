/* tgclient, the C client of tracegate gateways (docs/protocol.md, docs/clients.md). For C11 and C++; needs libc and zlib, and OpenSSL for wss:// alone.
 *
 * A client keeps one WebSocket connection to any one of the nodes it was given, goes to another when that one fails, asks
 * there for every subscription again from where it was, and so gives its user each event once and in order. It has no
 * thread and no loop. Either it waits by itself:
 *
 *	while (tgc_poll(client, -1) == TGC_OK)
 *		;
 *
 * or it lives in a loop of yours: wait until tgc_fd() has what tgc_events() wants, or tgc_timeout_ms() has passed, then call
 * tgc_step() with what poll(2) saw (0: nothing, or the time passed). All three may change with each call of the library: ask
 * again before each wait. Never wait longer than tgc_timeout_ms(): pongs, timeouts and reconnects depend on it.
 *
 * A client belongs to one thread at a time; different clients are independent. Handlers are called only from within
 * tgc_step() and tgc_poll(), and for requests that end without a reply also from tgc_close() and tgc_free(). A handler may
 * call everything but tgc_step() and tgc_poll(). What a handler is given is borrowed until it returns.
 *
 * What blocks: resolving a host name (getaddrinfo(3)), at each attempt to connect; a numeric address never does. */
#ifndef COMMON_CLIENT_TGCLIENT_H
#define COMMON_CLIENT_TGCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tgc_client;

/* A borrowed view of bytes, not NUL-terminated; ptr may be NULL when len is 0. */
struct tgc_text {
	const char *ptr;
	size_t len;
};

enum tgc_result {
	TGC_OK = 0,
	TGC_NOMEM,   /* memory could not be had */
	TGC_INVALID, /* an argument is wrong; tgc_why() says which */
	TGC_LIMIT,   /* a limit of the options, or of the node, is reached */
	TGC_OFFLINE, /* there is no open connection now */
	TGC_ENDED,   /* the client is not open (any more) and does nothing until tgc_open() */
};

#define TGC_WHY_MAX 256 /* bytes that hold any error text, with its NUL */

/* --- What a client tells ------------------------------------------------------------------------------------------- */

enum tgc_state {
	TGC_IDLE,       /* made, not opened */
	TGC_CONNECTING, /* to url */
	TGC_OPEN,       /* welcomed by url; requests may be sent */
	TGC_WAITING,    /* no connection, for that reason; the next attempt comes in retry_in_ms */
	TGC_CLOSED,     /* for good, for that reason: tgc_close(), or the node said that something must change first */
};

struct tgc_status {
	enum tgc_state state;
	const char *url;     /* the node of the last attempt or connection, as it was given */
	const char *reason;  /* a sentence; "" where there is nothing to say */
	unsigned code;       /* the close code (4401) or HTTP status (503) behind the reason; 0: neither */
	unsigned failures;   /* attempts and connections that failed in a row */
	uint64_t retry_in_ms; /* TGC_WAITING */
};

struct tgc_event {
	uint64_t sub;            /* the subscription; 0: from a request */
	struct tgc_text id;      /* its place in the log; empty: it is not recorded */
	struct tgc_text channel; /* unescaped */
	uint64_t ts_ms;          /* since the Unix epoch */
	struct tgc_text data;    /* JSON: the published payload byte for byte, or with a format a string that stands for it */
	struct tgc_text format;  /* empty: JSON; "text": published as text; "base64": as bytes */
	struct tgc_text element; /* the whole event as it came */
};

struct tgc_gap { /* Events that this subscription does not get live. */
	uint64_t sub;
	struct tgc_text after, before; /* ids around what is missing; empty: not known */
	int64_t dropped;               /* how many; -1: not known */
	/* As in docs/protocol.md, or "offline": the connection was lost where the node records nothing, so that what came
	 * until the new one is not known; or "delta": one without an id could not be made from what came of it. */
	struct tgc_text reason;
};

struct tgc_notice {
	struct tgc_text code; /* "draining", "redisDown", … */
	struct tgc_text json; /* the whole message */
};

enum tgc_replay_kind {
	TGC_REPLAY_EVENTS,
	TGC_REPLAY_GAP, /* something of the range is missing; its reason is in json */
	TGC_REPLAY_END,
};

struct tgc_replay { /* What came of a replay that a request began. It ends with its connection. */
	enum tgc_replay_kind kind;
	struct tgc_text replay; /* its key, as the reply to the request said */
	struct tgc_text events; /* TGC_REPLAY_EVENTS: the array, for tgc_next_event() */
	struct tgc_text cursor; /* TGC_REPLAY_EVENTS: a replay or a subscription that begins behind it goes on there */
	struct tgc_text json;   /* the whole message */
};

enum tgc_reply_kind {
	TGC_REPLY_CHUNK, /* events of a history request; more follows */
	TGC_REPLY_OK,    /* the last word on the request */
	TGC_REPLY_ERROR, /* the last word on the request */
};

struct tgc_reply {
	enum tgc_reply_kind kind;
	struct tgc_text json;      /* the "ok" or "error" object, or the whole chunk; empty: the request got no reply */
	struct tgc_text events;    /* TGC_REPLY_CHUNK: the array, for tgc_next_event() */
	struct tgc_text code;      /* TGC_REPLY_ERROR: "bad_filter"; "disconnected": the connection ended before the reply, and
	                            * whether the request was done is not known */
	struct tgc_text message;   /* TGC_REPLY_ERROR: a sentence, unescaped */
	bool temporary;            /* TGC_REPLY_ERROR: the same request may succeed later */
	uint64_t retry_after_ms;   /* TGC_REPLY_ERROR: 0: not told */
};

typedef void tgc_on_reply(struct tgc_client *client, void *context, const struct tgc_reply *reply);

/* Any of them may be NULL. context is handed to each. */
struct tgc_handlers {
	void *context;
	void (*on_state)(struct tgc_client *client, void *context, const struct tgc_status *status);
	void (*on_event)(struct tgc_client *client, void *context, const struct tgc_event *event);
	/* All events up to the cursor were given: whoever keeps it resumes behind them with since, in another process too. */
	void (*on_cursor)(struct tgc_client *client, void *context, uint64_t sub, struct tgc_text cursor);
	void (*on_gap)(struct tgc_client *client, void *context, const struct tgc_gap *gap);
	void (*on_notice)(struct tgc_client *client, void *context, const struct tgc_notice *notice);
	void (*on_replay)(struct tgc_client *client, void *context, const struct tgc_replay *replay);
	/* The node took the subscription (again after each reconnect), or refused it: TGC_REPLY_ERROR, which ends it.
	 * Refusals that are temporary are told by on_postponed alone, each of them; it is asked for again. */
	void (*on_subscribed)(struct tgc_client *client, void *context, uint64_t sub, const struct tgc_reply *reply);
	void (*on_postponed)(struct tgc_client *client, void *context, uint64_t sub, const struct tgc_reply *reply);
};

/* --- Life ---------------------------------------------------------------------------------------------------------- */

struct tgc_options { /* Zero in a number: the default. All is copied. */
	const char *const *urls; /* ws://host[:port][/path][?query], wss:// with TLS; http:// and https:// are the same; tried in turn */
	size_t url_count;
	const char *token;       /* a JWT or an API key, sent as Authorization: Bearer; NULL: none */
	/* For wss://. PEM; read by tgc_new(). */
	const char *ca_file;          /* authorities that nodes' certificates are to come from; NULL: the system's */
	const char *certificate_file; /* of this client, with its chain; NULL: none */
	const char *key_file;         /* NULL: it is in certificate_file */
	bool is_insecure;             /* takes any certificate: whoever sits between reads and writes along. For tests */
	bool is_uncompressed;         /* does not offer permessage-deflate; else nodes compress what they send where that pays */
	struct tgc_handlers handlers;
	uint64_t connect_timeout_ms; /* 10000: until connected, and again until welcomed */
	uint64_t backoff_min_ms;     /* 100: the pause after a first round of failures; doubled each round, jittered by half */
	uint64_t backoff_max_ms;     /* 10000 */
	size_t message_bytes_max;    /* 64 MiB: the longest message that is taken; a longer one closes the client */
	size_t output_bytes_max;     /* 8 MiB: what may wait to be sent */
	size_t requests_max;         /* 1024: requests that may wait for their reply */
	size_t subscriptions_max;    /* 1024 */
};

/* NULL: ret_why (may be NULL) says what is wrong. */
struct tgc_client *tgc_new(const struct tgc_options *options, char ret_why[TGC_WHY_MAX]);
/* Closes it and gives its memory back; inside a handler, once the step that called it ends. NULL is fine. */
void tgc_free(struct tgc_client *client);

/* Begins to connect, in the next step. From TGC_WAITING: does not wait longer. From TGC_CLOSED: begins again, with all
 * subscriptions where they were. */
void tgc_open(struct tgc_client *client);
/* Says goodbye, ends the connection at once and each pending request with an error. What still waits to be sent is sent as
 * far as the socket takes it: wait for the replies that matter first. */
void tgc_close(struct tgc_client *client);
/* For the next connection. */
enum tgc_result tgc_set_token(struct tgc_client *client, const char *token);
/* The same, and on the open connection at once, by op auth: for a new token of the same identity, as when on_notice says tokenExpiring.
 * Subscriptions go on. on_reply (may be NULL) is called as by tgc_request(); a token that is refused closes the client (4401). Without
 * an open connection it is for the next one, on_reply is not called, and the result is TGC_OFFLINE. */
enum tgc_result tgc_authenticate(struct tgc_client *client, const char *token, tgc_on_reply *on_reply, void *context);

/* --- Turning ------------------------------------------------------------------------------------------------------- */

/* Waits until something is to be done, at most timeout_ms (-1: without end), and does it. TGC_ENDED: see there.
 * TGC_OK otherwise, also when a signal came. */
enum tgc_result tgc_poll(struct tgc_client *client, int timeout_ms);

int tgc_fd(const struct tgc_client *client);         /* -1: there is none now, only the time counts */
short tgc_events(const struct tgc_client *client);   /* POLLIN, POLLOUT */
int tgc_timeout_ms(const struct tgc_client *client); /* as poll(2) takes it; -1: without end */
enum tgc_result tgc_step(struct tgc_client *client, short revents); /* as tgc_poll, without the wait */

void tgc_status(const struct tgc_client *client, struct tgc_status *ret_status); /* borrowed until the next call */
const char *tgc_why(const struct tgc_client *client); /* what was wrong with the last call that failed */

/* --- Subscriptions and requests ------------------------------------------------------------------------------------- */

struct tgc_subscription { /* All is copied; zero means absent. */
	const char *const *channels; /* globs */
	size_t channel_count;
	const char *filter; /* a JSON object */
	const char *since;  /* a cursor, ms, an ISO 8601 time, "earliest", "-5m"; without it only what comes from now on */
	const char *slow;   /* "catchup", "drop", "conflate", "disconnect" */
	bool delta;         /* events come as what changed on their channel: fewer bytes; handlers are given them whole all the same */
};

/* ret_sub may be NULL. May be called in any state; the subscription is asked for whenever the client is open, until it is taken back or refused.
 * A node has one subscription for all that mean the same: those of one client then get the same events. */
enum tgc_result tgc_subscribe(struct tgc_client *client, const struct tgc_subscription *wish, uint64_t *ret_sub);
/* No handler is called for it any more. An unknown one is TGC_INVALID. */
enum tgc_result tgc_unsubscribe(struct tgc_client *client, uint64_t sub);
/* Where it would resume: behind the last batch that was given whole, or the last event before a handler ended the
 * connection. Empty: there is none yet. Borrowed until the next call. */
struct tgc_text tgc_cursor(const struct tgc_client *client, uint64_t sub);

/* Sends any request of the protocol: a JSON object with its "op" and without an "id", {"op":"history","session":"s1"}.
 * on_reply is called for each chunk and once at the end, whatever happens; not at all when this fails. */
enum tgc_result tgc_request(struct tgc_client *client, const char *request, tgc_on_reply *on_reply, void *context);

/* --- Help with JSON -------------------------------------------------------------------------------------------------- */

/* Takes the next event off an array of events. False: there is none more. The event's channel is valid until the next call. */
bool tgc_next_event(struct tgc_client *client, struct tgc_text *events, struct tgc_event *ret_event);
/* What was published, byte for byte, whatever the format. Writes at most event->data.len bytes and gives their number. */
size_t tgc_payload(const struct tgc_event *event, char *ret_bytes);
/* The raw JSON text of what an RFC 6901 pointer names ("/next") in JSON that came from the client; empty: nothing. */
struct tgc_text tgc_find(struct tgc_text json, const char *pointer);

#ifdef __cplusplus
}
#endif

#endif
