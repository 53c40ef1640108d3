#include "gateway/session/relief.h"

#include "common/base/clock.h"
#include "gateway/feed/ring.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/catchup.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"

#define RING_PARTS 8             /* what is left of the ring's bytes */
#define HELD_NS (5 * NS_PER_S)   /* who is slow has so long to take what was sent */

/* Only what the log has can be read again: all that waits for the subscription must have ids. */
static bool can_read_again(const struct subscription *subscription)
{
	const struct outbox *outbox = &subscription->session->outbox;
	bool has_parcels = false;
	if (subscription->state != SUBSCRIPTION_LIVE)
		return false;
	LIST_FOREACH(&outbox->parcels, at, following) {
		const struct parcel *parcel = LIST_ENTRY(at, struct parcel, link);
		if (parcel->subscription != subscription)
			continue;
		if (record_id_is_zero(parcel->first))
			return false;
		has_parcels = true;
	}
	return has_parcels && subscription->session->exchange->feed.is_recorded;
}

static void relieve_subscription(struct subscription *subscription)
{
	struct outbox *outbox = &subscription->session->outbox;
	if (!can_read_again(subscription))
		return;
	struct record_id place = outbox_oldest(outbox, subscription)->after;
	while (outbox_drop_oldest(outbox, subscription))
		continue;
	metric_add(METRIC_MEMORY_RELIEVED, 1);
	catchup_fall_behind(subscription, place);
}

static size_t largest_outbox(const struct exchange *exchange)
{
	size_t largest = 0;
	LIST_FOREACH(&exchange->sessions, at, following) {
		const struct session *session = LIST_ENTRY(at, struct session, in_exchange);
		if (session->state == SESSION_OPEN && session->outbox.event_bytes > largest)
			largest = session->outbox.event_bytes;
	}
	return largest;
}

/* Those that hold at least half of what the largest one does; the rest at later looks, if it is over then still. */
static void relieve_largest(struct exchange *exchange)
{
	size_t largest = largest_outbox(exchange);
	if (largest == 0)
		return;
	LIST_FOREACH(&exchange->sessions, at, following) {
		struct session *session = LIST_ENTRY(at, struct session, in_exchange);
		if (session->state != SESSION_OPEN || session->outbox.event_bytes < largest / 2)
			continue;
		LIST_FOREACH(&session->subscriptions, in_session, next)
			relieve_subscription(LIST_ENTRY(in_session, struct subscription, in_session));
	}
}

/* What its port could not send, for long, of a message that is longer than what may wait for a slow client; else 0. */
static size_t held_in_vain(const struct session *session, uint64_t now_ns)
{
	bool is_held = session->state == SESSION_OPEN && session->held_bytes > session->exchange->settings.slow_threshold_bytes &&
		       now_ns - session->held_since_ns >= HELD_NS && !session->port->ops->is_clear(session->port);
	return is_held ? session->held_bytes : 0;
}

static size_t largest_held(const struct exchange *exchange, uint64_t now_ns)
{
	size_t largest = 0;
	LIST_FOREACH(&exchange->sessions, at, following) {
		size_t held = held_in_vain(LIST_ENTRY(at, struct session, in_exchange), now_ns);
		largest = held > largest ? held : largest;
	}
	return largest;
}

/* The same of what is sent already, which only the end of the connection gives back. */
static void cut_off_largest(struct exchange *exchange)
{
	uint64_t now_ns = clock_mono_ns();
	size_t largest = largest_held(exchange, now_ns);
	if (largest == 0)
		return;
	LIST_FOREACH(&exchange->sessions, at, following) {
		struct session *session = LIST_ENTRY(at, struct session, in_exchange);
		size_t held = held_in_vain(session, now_ns);
		if (held && held >= largest / 2)
			session_close(session, CLOSE_TOO_SLOW);
	}
}

static void give_up_states(struct exchange *exchange)
{
	LIST_FOREACH(&exchange->sessions, at, following)
		state_relieve(LIST_ENTRY(at, struct session, in_exchange));
}

static void free_spare(struct exchange *exchange)
{
	while (exchange->spare_count)
		buf_fini(&exchange->spare[--exchange->spare_count]);
}

void exchange_memory(struct exchange *exchange, bool is_over)
{
	size_t bytes = exchange->settings.ring_bytes_max;
	if (is_over != exchange->is_over_memory)
		ring_limit(exchange->ring, is_over ? bytes / RING_PARTS : bytes);
	exchange->is_over_memory = is_over;
	if (!is_over)
		return;
	free_spare(exchange);
	relieve_largest(exchange);
	give_up_states(exchange);
	cut_off_largest(exchange);
}

bool exchange_is_over_memory(const struct exchange *exchange)
{
	return exchange->is_over_memory;
}
