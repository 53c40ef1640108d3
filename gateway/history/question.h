/* What a worker asks of Redis about the past, and what it is answered. Questions go to the historian's mailbox and
 * answers come back through the worker's; both are heap memory that the receiver frees. An asker that is gone is no
 * trouble: its ticket is unknown by then. */
#ifndef GATEWAY_HISTORY_QUESTION_H
#define GATEWAY_HISTORY_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/data/blob.h"
#include "common/protocol/log.h"
#include "common/thread/mailbox.h"
#include "gateway/history/page.h"

struct filter;

enum question_kind {
	QUESTION_PAGE,     /* a page of the log or of a session */
	QUESTION_PUBLISH,  /* store, publish and stamp one event, in one step */
	QUESTION_SESSIONS, /* the sessions that have a stream */
	QUESTION_STATE,    /* the state of a session at a moment, and what differs from another one */
	QUESTION_CANCEL,   /* of the ticket: not to be asked any more, no answer is wanted */
};

struct question {
	struct mail mail;
	enum question_kind kind;
	uint64_t ticket;
	void *asker;           /* whose mailbox gets the answer; the historian gives it back only */
	/* Monotonic: answered by then, if only with ERR_TIMEOUT. QUESTION_STATE: or as long after Redis last gave something to any of
	 * them; meanwhile answers come that are only under way. */
	uint64_t deadline_ns;
	struct log_position known; /* where the log stands, as far as the asker knows; epoch 0: it does not */
	struct page_query page; /* QUESTION_PAGE; texts point into bytes */
	struct slice channel, payload, session; /* QUESTION_PUBLISH; QUESTION_STATE: session alone */
	uint64_t cursor;       /* QUESTION_SESSIONS: 0 at first, then what the answer said */
	size_t limit;          /* QUESTION_SESSIONS: about so many */
	struct record_id at;   /* QUESTION_STATE: behind this event; with the session above */
	bool has_diff;         /* QUESTION_STATE: the patch from the state at diff_from is wanted too */
	struct record_id diff_from;
	/* QUESTION_STATE: a reference; NULL: all events count. With one nothing of what is asked or answered is shared with others. */
	struct filter *filter;
	bool hides_start;      /* QUESTION_STATE: the state does not say since which event it is; that may be one that is not to be seen */
	char bytes[];          /* what the slices point into */
};

/* Copies the texts into the question. NULL: no memory. The question's other fields are zero. */
struct question *question_new_page(uint64_t ticket, const struct page_query *query) MUST_USE;
struct question *question_new_publish(uint64_t ticket, struct slice channel, struct slice payload, struct slice session) MUST_USE;
struct question *question_new_sessions(uint64_t ticket, uint64_t cursor, size_t limit) MUST_USE;
/* diff_from: NULL: no patch is wanted. filter: takes a reference, may be NULL. */
struct question *question_new_state(uint64_t ticket, struct slice session, struct record_id at, const struct record_id *diff_from,
				    struct filter *filter) MUST_USE;
struct question *question_new_cancel(uint64_t ticket) MUST_USE;
void question_free(struct question *question); /* NULL is fine */

struct session_summary {
	struct slice session;
	struct record_id first, last;
	uint64_t length;
};
struct session_list {
	uint64_t cursor; /* 0: that was all */
	size_t count;
	struct session_summary *sessions;
	char bytes[];    /* the sessions, then their names; one allocation */
};
struct session_list *session_list_new(uint64_t cursor, const struct session_summary *sessions, size_t count) MUST_USE; /* copies; NULL: no memory */
void session_list_free(struct session_list *list); /* NULL is fine */

struct answer {
	struct mail mail;
	uint64_t ticket;
	void *asker;
	enum question_kind kind;
	/* OK; ERR_TIMEOUT; ERR_CLOSED (Redis is away, ask again); ERR_LIMIT (too many questions wait); ERR_NOMEM; ERR_RANGE: QUESTION_STATE: too large;
	 * ERR_IO: Redis refused, ERR_AGAIN: for now; why says what in our words. */
	enum err error;
	char why[128];
	struct page *page;             /* QUESTION_PAGE: a reference */
	struct record_id id;           /* QUESTION_PUBLISH; QUESTION_STATE: of the last event in it, zero: there is none */
	struct session_list *sessions; /* QUESTION_SESSIONS: owned */
	struct blob *state, *patch;    /* QUESTION_STATE: JSON, references; patch NULL unless it was asked for */
	bool is_under_way;             /* no answer yet: it takes longer, and goes on */
};

struct answer *answer_new(const struct question *question, enum err error, const char *why) MUST_USE;
void answer_free(struct answer *answer); /* with what it holds; NULL is fine */

#endif
