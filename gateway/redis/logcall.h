/* The calls of a logscript: each is a formatted request that is kept until it is answered, since the server may have lost the
 * script and the call must be sent again. Private to the room. */
#ifndef GATEWAY_REDIS_LOGCALL_H
#define GATEWAY_REDIS_LOGCALL_H

#include "common/base/list.h"
#include "common/base/random.h"
#include "common/data/buf.h"
#include "gateway/redis/logscript.h"

#define SHA_DIGITS 40
#define SCAN_KEYS_MAX 200 /* in one step of a list: Redis does nothing else meanwhile */

enum call_kind { CALL_PLAIN, CALL_OPEN, CALL_STORED, CALL_READ, CALL_INSPECT, CALL_LIST, CALL_RECALL };

/* UNLOADED: it is not known whether the server has the script, nor its name there. */
enum script_state { UNLOADED, LOADING, LOADED };

struct listing {
	size_t limit;
	unsigned steps;
	struct buf rows;  /* struct session_summary; their names are placed at the end */
	struct buf names; /* one behind the other */
};

struct call {
	struct list link; /* of the script: refused or waiting, while it is not in flight */
	struct logscript *script;
	enum call_kind kind;
	uint64_t ticket;
	union {
		logscript_done *plain;
		logscript_opened *opened;
		logscript_stored *stored;
		logscript_read_done *read;
		logscript_inspected *inspected;
		logscript_listed *listed;
		logscript_recalled *recalled;
	} done; /* NULL: nobody wants the answer */
	void *context;
	struct buf request; /* kept until the answer: the script may have to be loaded and the call sent again */
	size_t sha_at;      /* where the script's name goes in request */
	unsigned refusals;
	struct listing listing;
};

struct logscript {
	const struct logscript_settings *settings;
	struct link *link;
	enum script_state state;
	char sha[SHA_DIGITS];
	struct list refused; /* calls that the server had no script for, in order; all older than those that wait */
	struct list waiting; /* calls made while the script is being loaded, in order */
	struct buf log_key;
	struct buf rows; /* of one reply */
	struct random random;
};

struct call *logcall_new(struct logscript *script, enum call_kind kind, uint64_t ticket, void *context) MUST_USE; /* NULL: no memory */
/* Begins the request: a verb of the script with so many arguments, which the caller appends. */
void logcall_begin(struct call *call, const char *verb, size_t arguments);
void logcall_begin_list(struct call *call, uint64_t cursor); /* the whole request of one step */
/* Sends it, now or when the script is loaded; owns the call from then on, also when it fails. NULL: ERR_NOMEM. ERR_CLOSED. */
enum err logcall_submit(struct call *call) MUST_USE;
enum err logcall_submit_read(struct call *call) MUST_USE; /* a request that is no call of the script: at once */
void logcall_drop_all(struct logscript *script);          /* those that are not in flight; calls back nobody */

#endif
