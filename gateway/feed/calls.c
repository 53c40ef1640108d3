#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/feed/feed_inside.h"
#include "gateway/metrics/metrics.h"

#define CALL_BYTES_MAX ((size_t)1 << 20) /* of payloads in one call, if it has more than one record */
#define RETRY_FIRST_NS (100 * NS_PER_MS)
#define RETRY_MAX_NS (2 * NS_PER_S)
#define FAILURES_MAX 3
#define DIGEST_FACTOR UINT64_C(0x9E3779B97F4A7C15)

static struct record_call *at_link(struct list *link)
{
	return LIST_ENTRY(link, struct record_call, link);
}

static struct record_call *new_call(struct recorder *recorder)
{
	struct record_call *call = recorder->spare_calls;
	if (call)
		recorder->spare_calls = (struct record_call *)(void *)call->link.next;
	else
		call = malloc(sizeof *call);
	if (!call)
		return NULL;
	*call = (struct record_call){.count = 0};
	list_append(&recorder->calls, &call->link);
	return call;
}

/* Its marks are gone already. */
static void drop_call(struct recorder *recorder, struct record_call *call)
{
	list_remove(&call->link);
	recorder->in_flight -= call->answer == 0;
	call->link.next = (struct list *)(void *)recorder->spare_calls;
	recorder->spare_calls = call;
}

static void unmark(struct feed *feed, struct record_call *call)
{
	if (call->marked)
		pending_unsend(&feed->pending, call);
	call->marked = 0;
}

void calls_forget(struct feed *feed)
{
	if (list_is_empty(&feed->recorder.calls))
		return;
	LIST_FOREACH(&feed->recorder.calls, link, following)
	drop_call(&feed->recorder, at_link(link));
	pending_unsend(&feed->pending, NULL);
}

/* The log was read to its end since the call was done, or not: those of its records that were met there wait for no
 * stamp. */
static void match_read(struct feed *feed, struct record_call *call)
{
	if (call->marked == 0 || !early_first(&feed->early))
		return;
	LIST_FOREACH(&feed->pending.order, link, following)
	{
		struct pending_record *at = LIST_ENTRY(link, struct pending_record, order);
		if (at->call == call && early_take(&feed->early, at->hash))
			record_unref(feed_take_pending(feed, at));
	}
}

static void settle(struct feed *feed, struct record_call *call)
{
	unmark(feed, call);
	drop_call(&feed->recorder, call);
}

void calls_settle(struct feed *feed, uint64_t answers)
{
	LIST_FOREACH(&feed->recorder.calls, link, following)
	{
		struct record_call *call = at_link(link);
		if (call->answer == 0 || call->answer > answers || call->is_read)
			continue;
		call->is_read = true;
		call->read_upto = feed->head;
		call->answered_ns = clock_mono_ns();
	}
	calls_reached(feed);
}

void calls_reached(struct feed *feed)
{
	LIST_FOREACH(&feed->recorder.calls, link, following)
	{
		struct record_call *call = at_link(link);
		if (!record_id_is_zero(call->last) && record_id_compare(feed->head, call->last) >= 0)
			unmark(feed, call);
		bool is_heard = call->is_read && record_id_compare(feed->heard.last, call->read_upto) >= 0;
		if (call->answer && (call->marked == 0 || is_heard))
			settle(feed, call);
	}
}

void call_is_stamped(struct record_call *call, struct record_id last)
{
	call->last = last;
}

void call_pass_on(struct feed *feed, struct pending_record *from)
{
	struct pending_record *at = pending_next_same(&feed->pending, from);
	while (at && (at->call || at->is_announced))
		at = pending_next_same(&feed->pending, at);
	if (!at)
		return;
	at->call = from->call;
	at->call->marked++;
}

static uint64_t add_to_digest(uint64_t digest, const struct hash128 *hash)
{
	uint64_t bits;
	memcpy(&bits, hash->bytes, sizeof bits);
	return digest * DIGEST_FACTOR + bits;
}

struct record_call *calls_recognise(struct feed *feed, struct stamps stamps)
{
	size_t count = 0;
	uint64_t digest = 0;
	struct stamp stamp;
	enum err error;
	if (list_is_empty(&feed->recorder.calls))
		return NULL;
	for (; stamps_next(&stamps, &stamp, &error); count++)
		digest = add_to_digest(digest, &stamp.hash);
	LIST_FOREACH(&feed->recorder.calls, link, following)
	{
		struct record_call *call = at_link(link);
		if (record_id_is_zero(call->last) && call->count == count && call->digest == digest)
			return call;
	}
	return NULL;
}

static size_t fill(struct feed *feed, struct record_call *call)
{
	size_t bytes = 0;
	struct pending_record *at;
	while (call->count < feed->settings.record_batch_max && (at = pending_next_unsent(&feed->pending))) {
		bytes += at->record->payload.len;
		if (call->count && bytes > CALL_BYTES_MAX)
			break;
		feed->recorder.entries[call->count++] = (struct feed_entry){at->record, at->hash};
		call->digest = add_to_digest(call->digest, &at->hash);
		at->call = call;
	}
	call->marked = call->count;
	return call->count;
}

/* Whether its records came into the log is not known: nothing is recorded before the log was read. */
static void on_failure(struct feed *feed, struct record_call *call, uint64_t now_ns)
{
	struct recorder *recorder = &feed->recorder;
	uint64_t wait_ns = RETRY_FIRST_NS << (recorder->failures < 5 ? recorder->failures : 5);
	call->is_failed = true;
	recorder->retry_ns = now_ns + feed_jitter(feed, wait_ns < RETRY_MAX_NS ? wait_ns : RETRY_MAX_NS);
	metric_add(METRIC_RECORD_CALLS_FAILED, 1);
	if (++recorder->failures < FAILURES_MAX)
		return;
	recorder_stop(feed, true);
	recorder->claim_ns = now_ns + feed_jitter(feed, RETRY_MAX_NS); /* so that another node may try */
}

static void note_answer(struct recorder *recorder, struct record_call *call, uint64_t now_ns)
{
	recorder->in_flight--;
	call->answer = ++recorder->answers;
	call->answered_ns = now_ns;
}

static void send(struct feed *feed, struct record_call *call, uint64_t now_ns)
{
	struct recorder *recorder = &feed->recorder;
	call->ticket = feed_new_ticket(feed);
	recorder->in_flight++;
	if (feed->ops.record(feed->context, call->ticket, slice_of(recorder->token), feed->state.log.epoch,
	                     recorder->entries, call->count)) {
		note_answer(recorder, call, now_ns);
		on_failure(feed, call, now_ns);
	}
}

static struct record_call *find_failed(struct recorder *recorder)
{
	LIST_FOREACH(&recorder->calls, link, following)
	{
		if (at_link(link)->is_failed)
			return at_link(link);
	}
	return NULL;
}

void calls_send(struct feed *feed, uint64_t now_ns)
{
	struct recorder *recorder = &feed->recorder;
	while (recorder->state == RECORDER_RECORDING && recorder->in_flight < feed->settings.calls_in_flight_max &&
	       pending_next_unsent(&feed->pending) && !find_failed(recorder)) {
		struct record_call *call = new_call(recorder);
		if (!call)
			return;
		if (fill(feed, call))
			send(feed, call, now_ns);
	}
}

static struct record_call *find_call(struct recorder *recorder, uint64_t ticket)
{
	LIST_FOREACH(&recorder->calls, link, following)
	{
		if (at_link(link)->ticket == ticket && at_link(link)->answer == 0)
			return at_link(link);
	}
	return NULL;
}

void feed_on_record(struct feed *feed, uint64_t ticket, enum record_answer answer)
{
	struct recorder *recorder = &feed->recorder;
	struct record_call *call = find_call(recorder, ticket);
	uint64_t now_ns = clock_mono_ns();
	if (!call)
		return;
	note_answer(recorder, call, now_ns);
	if (answer == RECORDED) {
		recorder->failures = 0;
		metric_add(METRIC_RECORD_CALLS, 1);
		metric_add(METRIC_RECORDS, call->count);
		calls_reached(feed);
	} else if (answer == RECORD_FAILED) {
		on_failure(feed, call, now_ns);
	} else {
		metric_add(METRIC_RECORD_CALLS_REFUSED, 1);
		recorder_stop(feed, false);
		if (answer == RECORD_OTHER_EPOCH)
			feed_ask_open(feed);
	}
	calls_send(feed, now_ns);
	delivery_tell(feed);
}

/* When the log is to be read for what became of a call; or, where it was and the stamps up to its end do not come, when
 * what was read is all that will be known. */
static uint64_t look_ns(const struct feed *feed, const struct record_call *call)
{
	if (call->answer == 0 || (call->is_failed && feed->recorder.in_flight))
		return FEED_NEVER;
	return call->is_failed && !call->is_read ? feed->recorder.retry_ns : call->answered_ns + feed->settings.deaf_ns;
}

uint64_t calls_tick(struct feed *feed, uint64_t now_ns)
{
	uint64_t due_ns = FEED_NEVER;
	bool is_read_needed = false;
	if (feed->phase != FEED_UP)
		return due_ns;
	LIST_FOREACH(&feed->recorder.calls, link, following)
	{
		struct record_call *call = at_link(link);
		uint64_t at_ns = look_ns(feed, call);
		if (at_ns > now_ns) {
			due_ns = at_ns < due_ns ? at_ns : due_ns;
		} else if (call->is_read) {
			match_read(feed, call);
			settle(feed, call);
		} else {
			is_read_needed = true;
		}
	}
	if (is_read_needed && !feed->heal.to_end)
		heal_to_end(feed);
	calls_send(feed, now_ns);
	return due_ns;
}
