#include "gateway/worker/worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/thread/mailbox.h"
#include "common/thread/thread.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/relief.h"

#define ROOM "worker"

enum letter_kind { LETTER_BATCH, LETTER_FEED_STATE, LETTER_NOTICE, LETTER_AUTH, LETTER_DISCONNECT, LETTER_MEMORY, LETTER_DRAIN, LETTER_STOP };

struct letter {
	struct mail mail;
	enum letter_kind kind;
	union {
		struct record_batch *batch; /* a reference */
		struct feed_state feed_state;
		enum exchange_notice notice;
		uint64_t spread_ns;
		struct disconnection *disconnection; /* a reference */
		bool is_over;
	};
};

struct worker {
	unsigned number;
	struct exchange *exchange;
	struct server *server;
	struct thread thread;
	struct historian *historian; /* NULL: there is no history */
	struct mailbox mailbox, answers;
	struct letter stop; /* allocated with the worker, so that stopping cannot fail */
	_Atomic size_t session_count;
	_Atomic uint64_t turned_ms;
};

static void on_wake(void *receiver)
{
	struct worker *worker = receiver;
	server_wake(worker->server);
}

static void discard(struct letter *letter)
{
	if (letter->kind == LETTER_DISCONNECT) {
		atomic_fetch_sub(&letter->disconnection->waiting, 1);
		disconnection_unref(letter->disconnection);
	}
	if (letter->kind == LETTER_BATCH)
		record_batch_unref(letter->batch);
	if (letter->kind != LETTER_STOP)
		free(letter);
}

static void disconnect(struct exchange *exchange, struct disconnection *disconnection)
{
	const struct disconnect *order = &disconnection->order;
	const struct exchange_culprit culprit = {
		.identity = slice_of(order->identity),
		.client = order->client,
		.reason = *order->reason ? order->reason : NULL,
	};
	atomic_fetch_add(&disconnection->ended, exchange_disconnect(exchange, &culprit));
}

static void act_on(struct worker *worker, const struct letter *letter)
{
	switch (letter->kind) {
	case LETTER_BATCH:
		exchange_deliver(worker->exchange, letter->batch);
		break;
	case LETTER_FEED_STATE:
		exchange_feed_state(worker->exchange, &letter->feed_state);
		break;
	case LETTER_NOTICE:
		exchange_notice(worker->exchange, letter->notice);
		break;
	case LETTER_AUTH:
		exchange_auth_reloaded(worker->exchange);
		break;
	case LETTER_MEMORY:
		exchange_memory(worker->exchange, letter->is_over);
		break;
	case LETTER_DISCONNECT:
		disconnect(worker->exchange, letter->disconnection);
		break;
	case LETTER_DRAIN:
		server_stop_listening(worker->server);
		exchange_drain(worker->exchange, letter->spread_ns);
		break;
	case LETTER_STOP:
		server_stop(worker->server);
		break;
	}
}

static void take_mail(struct worker *worker)
{
	for (struct mail *at = mailbox_take_all(&worker->mailbox), *next; at; at = next) {
		next = at->next;
		struct letter *letter = (struct letter *)at;
		act_on(worker, letter);
		discard(letter);
	}
	for (struct mail *at = mailbox_take_all(&worker->answers), *next; at; at = next) {
		next = at->next;
		exchange_answer(worker->exchange, (struct answer *)at);
	}
}

static void on_question(void *context, struct question *question)
{
	struct worker *worker = context;
	question->asker = worker;
	historian_ask(worker->historian, question);
}

static void on_turn(void *context)
{
	struct worker *worker = context;
	take_mail(worker);
	atomic_store_explicit(&worker->turned_ms, clock_mono_ms(), memory_order_relaxed);
	/* As of here, before the turn ends: sessions that this turn opened count in the next at the latest. */
	size_t count = exchange_session_count(worker->exchange) + server_request_count(worker->server);
	atomic_store_explicit(&worker->session_count, count, memory_order_relaxed);
}

static void *run(void *argument)
{
	struct worker *worker = argument;
	if (metrics_join() != OK)
		log_error(ROOM, "a worker runs without metrics", log_int("worker", worker->number));
	server_run(worker->server);
	atomic_store(&worker->session_count, exchange_session_count(worker->exchange));
	return NULL;
}

enum err worker_start(const struct server_settings *server, const struct exchange_settings *exchange,
		      struct historian *historian, unsigned number, struct worker **ret_worker, char ret_why[256])
{
	snprintf(ret_why, 256, "%s", err_name(ERR_NOMEM));
	struct worker *worker = calloc(1, sizeof *worker);
	if (!worker)
		return ERR_NOMEM;
	enum err error = ERR_NOMEM;
	worker->number = number;
	worker->historian = historian;
	struct exchange_settings own_exchange = *exchange;
	if (historian)
		own_exchange.past = (struct exchange_past){.ask = on_question, .context = worker};
	worker->exchange = exchange_new(&own_exchange);
	if (!worker->exchange)
		goto fail_exchange;
	struct server_settings own = *server;
	own.joins_listeners = number > 0;
	error = server_new(&own, worker->exchange, on_turn, worker, &worker->server, ret_why);
	if (error != OK)
		goto fail_server;
	worker->stop.kind = LETTER_STOP;
	mailbox_init(&worker->mailbox, on_wake, worker);
	mailbox_init(&worker->answers, on_wake, worker);
	atomic_store(&worker->turned_ms, clock_mono_ms());
	char name[16];
	snprintf(name, sizeof name, "worker-%u", number);
	error = thread_start(&worker->thread, name, run, worker);
	if (error != OK)
		goto fail_thread;
	*ret_worker = worker;
	return OK;
fail_thread:
	snprintf(ret_why, 256, "cannot start a thread");
	server_close(worker->server);
	server_free(worker->server);
fail_server:
	exchange_free(worker->exchange);
fail_exchange:
	free(worker);
	return error;
}

uint16_t worker_port(const struct worker *worker, size_t listen_index)
{
	return server_port(worker->server, listen_index);
}

/* Without memory a letter is lost: of a batch its events, which the metric says. */
static struct letter *letter_new(enum letter_kind kind)
{
	struct letter *letter = calloc(1, sizeof *letter);
	if (letter)
		letter->kind = kind;
	return letter;
}

void worker_deliver(struct worker *worker, struct record_batch *batch)
{
	struct letter *letter = letter_new(LETTER_BATCH);
	if (!letter) {
		metric_add(METRIC_DROPPED_MEMORY, batch->count);
		return;
	}
	letter->batch = record_batch_ref(batch);
	mailbox_post(&worker->mailbox, &letter->mail);
}

void worker_feed_state(struct worker *worker, const struct feed_state *state)
{
	struct letter *letter = letter_new(LETTER_FEED_STATE);
	if (!letter)
		return;
	letter->feed_state = *state;
	mailbox_post(&worker->mailbox, &letter->mail);
}

void worker_answer(struct worker *worker, struct answer *answer)
{
	mailbox_post(&worker->answers, &answer->mail);
}

void worker_notice(struct worker *worker, enum exchange_notice notice)
{
	struct letter *letter = letter_new(LETTER_NOTICE);
	if (!letter)
		return;
	letter->notice = notice;
	mailbox_post(&worker->mailbox, &letter->mail);
}

void worker_auth_reloaded(struct worker *worker)
{
	struct letter *letter = letter_new(LETTER_AUTH);
	if (letter)
		mailbox_post(&worker->mailbox, &letter->mail);
}

void worker_memory(struct worker *worker, bool is_over)
{
	struct letter *letter = letter_new(LETTER_MEMORY);
	if (!letter)
		return;
	letter->is_over = is_over;
	mailbox_post(&worker->mailbox, &letter->mail);
}

void worker_disconnect(struct worker *worker, struct disconnection *disconnection)
{
	struct letter *letter = letter_new(LETTER_DISCONNECT);
	if (!letter)
		return;
	atomic_fetch_add(&disconnection->waiting, 1);
	letter->disconnection = disconnection_ref(disconnection);
	mailbox_post(&worker->mailbox, &letter->mail);
}

void worker_drain(struct worker *worker, uint64_t spread_ns)
{
	struct letter *letter = letter_new(LETTER_DRAIN);
	if (!letter)
		return;
	letter->spread_ns = spread_ns;
	mailbox_post(&worker->mailbox, &letter->mail);
}

size_t worker_session_count(const struct worker *worker)
{
	return atomic_load_explicit(&worker->session_count, memory_order_relaxed);
}

uint64_t worker_turned_ms(const struct worker *worker)
{
	return atomic_load_explicit(&worker->turned_ms, memory_order_relaxed);
}

void worker_stop(struct worker *worker)
{
	mailbox_post(&worker->mailbox, &worker->stop.mail);
	thread_join(&worker->thread);
	for (struct mail *at = mailbox_take_all(&worker->mailbox), *next; at; at = next) {
		next = at->next;
		discard((struct letter *)at);
	}
	for (struct mail *at = mailbox_take_all(&worker->answers), *next; at; at = next) {
		next = at->next;
		answer_free((struct answer *)at);
	}
	server_free(worker->server);
	exchange_free(worker->exchange);
	free(worker);
}
