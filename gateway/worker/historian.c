#include "gateway/worker/historian.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/thread/mailbox.h"
#include "common/thread/thread.h"
#include "gateway/history/archive.h"
#include "gateway/metrics/metrics.h"
#include "gateway/redis/logscript.h"
#include "gateway/redis/upstream.h"
#include "gateway/worker/historian_states.h"
#include "gateway/worker/redis_settings.h"

#define ROOM "historian"
#define PAGE_ENTRIES 1000
#define PAGE_BYTES ((size_t)256 * 1024)
#define READS_IN_FLIGHT 8
#define KEPT_BYTES ((size_t)8 * 1024 * 1024)
#define KEPT_NS NS_PER_S

struct told {
	struct mail mail;
	struct log_position position;
};

struct historian {
	struct redis_settings settings;
	struct node *node;
	historian_answered *on_answer;
	struct event_base *base;
	struct event *wake, *due, *stop;
	struct thread thread;
	struct mailbox questions, positions;
	_Atomic bool is_to_relieve;
	struct upstream *upstream;
	struct logscript *script;
	struct archive *archive;
	struct historian_states desk;
};

/* What was asked over a link that was lost gets no answer here: on_state() tells the archive, before or after, and its
 * tickets are void then. */
static void on_read(void *context, uint64_t ticket, enum logscript_result result, const struct log_entry *entries,
                    size_t count, const char *why)
{
	struct historian *historian = context;
	if (result != LOGSCRIPT_LOST)
		archive_on_read(historian->archive, ticket, entries, count, logscript_why(result, why));
}

static void on_inspected(void *context, uint64_t ticket, enum logscript_result result,
                         const struct stream_facts *stream, const struct log_position *log, const char *why)
{
	struct historian *historian = context;
	if (result != LOGSCRIPT_LOST)
		archive_on_facts(historian->archive, ticket, stream, log, logscript_why(result, why));
}

static void on_stored(void *context, uint64_t ticket, enum logscript_result result, struct record_id id,
                      const char *why)
{
	struct historian *historian = context;
	if (result != LOGSCRIPT_LOST)
		archive_on_published(historian->archive, ticket, id, logscript_why(result, why));
}

static void on_listed(void *context, uint64_t ticket, enum logscript_result result, uint64_t cursor,
                      const struct session_summary *sessions, size_t count, const char *why)
{
	struct historian *historian = context;
	if (result == LOGSCRIPT_LOST)
		return;
	struct session_list *list = result == LOGSCRIPT_OK ? session_list_new(cursor, sessions, count) : NULL;
	if (result == LOGSCRIPT_OK && !list)
		why = err_name(ERR_NOMEM);
	archive_on_list(historian->archive, ticket, list, list ? NULL : logscript_why(LOGSCRIPT_REFUSED, why));
}

static enum err op_read(void *context, uint64_t ticket, const struct page_query *query, size_t count)
{
	struct historian *historian = context;
	return logscript_read(historian->script, ticket, query->session, query->from, query->to, query->is_reverse,
	                      count, on_read, historian);
}

static enum err op_inspect(void *context, uint64_t ticket, struct slice session)
{
	struct historian *historian = context;
	return logscript_inspect(historian->script, ticket, session, on_inspected, historian);
}

static enum err op_publish(void *context, uint64_t ticket, struct slice channel, struct slice payload,
                           struct slice session)
{
	struct historian *historian = context;
	const struct logscript_event event = {.channel = channel, .payload = payload, .session = session};
	return logscript_publish(historian->script, ticket, &event, on_stored, historian);
}

static enum err op_list(void *context, uint64_t ticket, uint64_t cursor, size_t limit)
{
	struct historian *historian = context;
	return logscript_list(historian->script, ticket, cursor, limit, on_listed, historian);
}

static void op_answer(void *context, struct answer *answer)
{
	struct historian *historian = context;
	historian->on_answer(answer);
}

static const struct archive_ops archive_operations = {
    .read = op_read, .inspect = op_inspect, .publish = op_publish, .list = op_list, .answer = op_answer};

static void on_state(void *context, bool is_up)
{
	struct historian *historian = context;
	logscript_use(historian->script, is_up ? upstream_commands(historian->upstream) : NULL);
	archive_link(historian->archive, is_up);
	states_link(historian->desk.states, is_up);
	if (is_up)
		atomic_store(&historian->node->past_was_up, true);
}

static void on_message(void *context, struct slice channel, struct slice payload)
{
	(void)context; /* it subscribes to nothing */
	(void)channel;
	(void)payload;
}

static void on_read_end(void *context)
{
	(void)context;
}

/* After questions, and when something was due. What answers alone make due, pages that were kept long enough, waits for
 * the next of these. */
static void arm(struct historian *historian)
{
	uint64_t now_ns = clock_mono_ns();
	uint64_t due_ns = archive_tick(historian->archive, now_ns);
	uint64_t states_ns = states_tick(historian->desk.states, now_ns);
	if (states_ns < due_ns)
		due_ns = states_ns;
	if (due_ns == UINT64_MAX) {
		event_del(historian->due);
		return;
	}
	uint64_t wait_us = due_ns > now_ns ? (due_ns - now_ns) / 1000 + 1 : 1;
	const struct timeval wait = {.tv_sec = (time_t)(wait_us / 1000000),
	                             .tv_usec = (suseconds_t)(wait_us % 1000000)};
	event_add(historian->due, &wait);
}

static void on_due(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	arm(argument);
}

static void ask(struct historian *historian, struct question *question)
{
	if (question->kind == QUESTION_STATE) {
		states_ask(historian->desk.states, question);
		return;
	}
	if (question->kind == QUESTION_CANCEL)
		states_cancel(historian->desk.states, question);
	archive_ask(historian->archive, question);
}

/* Positions are posted before the questions that rest on them, so they are taken after the questions and used before.
 */
static void on_wake(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct historian *historian = argument;
	if (atomic_exchange(&historian->is_to_relieve, false))
		states_relieve(historian->desk.states);
	struct mail *questions = mailbox_take_all(&historian->questions);
	for (struct mail *at = mailbox_take_all(&historian->positions), *next; at; at = next) {
		next = at->next;
		struct told *told = (struct told *)at;
		archive_position(historian->archive, &told->position);
		states_position(historian->desk.states, &told->position);
		free(told);
	}
	for (struct mail *at = questions, *next; at; at = next) {
		next = at->next;
		ask(historian, (struct question *)at);
	}
	arm(historian);
}

static void on_stop(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct historian *historian = argument;
	event_base_loopbreak(historian->base);
}

static void wake(void *receiver)
{
	struct historian *historian = receiver;
	event_active(historian->wake, EV_TIMEOUT, 0);
}

static void *run_thread(void *argument)
{
	struct historian *historian = argument;
	const struct upstream_owner owner = {
	    .on_message = on_message, .on_read_end = on_read_end, .on_state = on_state, .context = historian};
	thread_give_way(); /* the past never holds up what is live */
	if (metrics_join() != OK)
		log_warn(ROOM, "out of memory, this thread counts nothing");
	if (upstream_new(historian->base, &historian->settings.upstream, owner, &historian->upstream) != OK)
		log_error(ROOM, "out of memory, there is no history");
	event_base_dispatch(historian->base);
	upstream_free(historian->upstream);
	return NULL;
}

static enum err make_archive(struct historian *historian, const struct config *config)
{
	const struct archive_settings settings = {
	    .fields = historian->settings.fields,
	    .page_entries = PAGE_ENTRIES,
	    .page_bytes = PAGE_BYTES,
	    .reads_in_flight_max = READS_IN_FLIGHT,
	    .waiting_max = config->history_requests,
	    .kept_bytes_max = KEPT_BYTES,
	    .kept_ns = KEPT_NS,
	    .session_idle_ms = historian->settings.log.session_idle_ms,
	};
	historian->archive = archive_new(&settings, &archive_operations, historian);
	historian->script = logscript_new(&historian->settings.log);
	if (!historian->archive || !historian->script)
		return ERR_NOMEM;
	return historian_states_init(&historian->desk, config, &historian->settings.fields, historian->script,
	                             historian->on_answer);
}

static enum err make_loop(struct historian *historian)
{
	if (evthread_use_pthreads() < 0)
		return ERR_NOMEM;
	historian->base = event_base_new();
	if (!historian->base)
		return ERR_NOMEM;
	historian->wake = event_new(historian->base, -1, EV_PERSIST, on_wake, historian);
	historian->stop = event_new(historian->base, -1, 0, on_stop, historian);
	historian->due = evtimer_new(historian->base, on_due, historian);
	/* An event that is never due keeps the loop alive while nothing else is there. */
	const struct timeval day = {.tv_sec = 86400};
	if (!historian->wake || !historian->stop || !historian->due || event_add(historian->wake, &day) < 0)
		return ERR_NOMEM;
	return OK;
}

static enum err set_up(struct historian *historian, const struct config *config, char ret_why[256])
{
	enum err error = redis_settings_init(&historian->settings, config, historian->node->name, ret_why);
	if (error)
		return error;
	historian->settings.upstream.pattern_count = 0;
	historian->settings.upstream.live_channel = NULL;
	historian->settings.upstream.control_channel = NULL;
	snprintf(ret_why, 256, "%s", err_name(ERR_NOMEM));
	mailbox_init(&historian->questions, wake, historian);
	mailbox_init(&historian->positions, wake, historian);
	error = make_archive(historian, config);
	if (!error)
		error = make_loop(historian);
	if (error)
		return error;
	error = thread_start(&historian->thread, ROOM, run_thread, historian);
	if (error)
		snprintf(ret_why, 256, "the historian's thread could not be started");
	return error;
}

enum err historian_start(const struct config *config, struct node *node, historian_answered *on_answer,
                         struct historian **ret_historian, char ret_why[256])
{
	struct historian *historian = calloc(1, sizeof *historian);
	if (!historian) {
		snprintf(ret_why, 256, "%s", err_name(ERR_NOMEM));
		return ERR_NOMEM;
	}
	historian->node = node;
	historian->on_answer = on_answer;
	enum err error = set_up(historian, config, ret_why);
	if (error)
		historian_free(historian);
	else
		*ret_historian = historian;
	return error;
}

void historian_ask(struct historian *historian, struct question *question)
{
	mailbox_post(&historian->questions, &question->mail);
}

void historian_relieve(struct historian *historian)
{
	atomic_store(&historian->is_to_relieve, true);
	wake(historian);
}

/* Without memory for the letter the next one, or a question that knows more, tells the same. */
void historian_tell(struct historian *historian, const struct log_position *position)
{
	struct told *told = calloc(1, sizeof *told);
	if (!told)
		return;
	told->position = *position;
	mailbox_post(&historian->positions, &told->mail);
}

void historian_stop(struct historian *historian)
{
	if (!historian)
		return;
	event_active(historian->stop, EV_TIMEOUT, 0);
	thread_join(&historian->thread);
}

static void free_mail(struct historian *historian)
{
	for (struct mail *at = mailbox_take_all(&historian->questions), *next; at; at = next) {
		next = at->next;
		question_free((struct question *)at);
	}
	for (struct mail *at = mailbox_take_all(&historian->positions), *next; at; at = next) {
		next = at->next;
		free((struct told *)at);
	}
}

void historian_free(struct historian *historian)
{
	if (!historian)
		return;
	free_mail(historian);
	archive_free(historian->archive);
	historian_states_fini(&historian->desk);
	logscript_free(historian->script);
	if (historian->wake)
		event_free(historian->wake);
	if (historian->due)
		event_free(historian->due);
	if (historian->stop)
		event_free(historian->stop);
	if (historian->base)
		event_base_free(historian->base);
	redis_settings_fini(&historian->settings);
	free(historian);
}
