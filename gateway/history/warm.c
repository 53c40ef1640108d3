#include "gateway/history/warm.h"

#include <stdlib.h>

#include "common/base/list.h"
#include "common/data/table.h"

struct place {
	struct list in_session, by_use; /* the longest unused first */
	struct warm_session *session;
	struct warm_place where;
	uint64_t skipped;
	struct fold *fold;  /* or */
	struct blob *state;
	size_t bytes;
};

struct warm_session {
	struct list places; /* in no order */
	size_t fold_count;
	size_t key_len;
	char key[];
};

struct warm {
	struct table sessions;
	struct list by_use;
	size_t bytes, bytes_max;
};

struct warm *warm_new(size_t bytes_max)
{
	struct warm *warm = calloc(1, sizeof *warm);
	if (!warm)
		return NULL;
	warm->bytes_max = bytes_max;
	table_init(&warm->sessions);
	list_init(&warm->by_use);
	return warm;
}

void warm_free(struct warm *warm)
{
	if (!warm)
		return;
	warm_fit(warm, 0);
	table_fini(&warm->sessions);
	free(warm);
}

size_t warm_bytes(const struct warm *warm)
{
	return warm->bytes;
}

static struct slice key_of(const struct warm_session *session)
{
	return (struct slice){session->key, session->key_len};
}

static void drop_empty_session(struct warm *warm, struct warm_session *session)
{
	if (!list_is_empty(&session->places))
		return;
	warm->bytes -= sizeof *session + session->key_len;
	table_remove(&warm->sessions, key_of(session));
	free(session);
}

/* The session stays, if only for a moment. */
static void drop_place(struct warm *warm, struct place *place)
{
	list_remove(&place->in_session);
	list_remove(&place->by_use);
	place->session->fold_count -= place->fold != NULL;
	warm->bytes -= place->bytes;
	fold_free(place->fold);
	blob_unref(place->state);
	free(place);
}

static struct place *place_of(struct list *link)
{
	return LIST_ENTRY(link, struct place, in_session);
}

void warm_fit(struct warm *warm, size_t bytes_max)
{
	LIST_FOREACH(&warm->by_use, at, following)
	{
		struct place *oldest = LIST_ENTRY(at, struct place, by_use);
		struct warm_session *session = oldest->session;
		if (warm->bytes <= bytes_max)
			return;
		drop_place(warm, oldest);
		drop_empty_session(warm, session);
	}
}

static struct warm_session *session_of(struct warm *warm, struct slice name)
{
	struct warm_session *session = table_get(&warm->sessions, name);
	if (session)
		return session;
	session = calloc(1, sizeof *session + name.len);
	if (!session)
		return NULL;
	list_init(&session->places);
	session->key_len = name.len;
	if (name.len)
		memcpy(session->key, name.ptr, name.len);
	if (table_put(&warm->sessions, key_of(session), session) != OK) {
		free(session);
		return NULL;
	}
	warm->bytes += sizeof *session + name.len;
	return session;
}

/* Of the trees only: what they would cost in place of bytes is worth it for the newest few. */
static void drop_oldest_fold(struct warm *warm, struct warm_session *session)
{
	struct place *oldest = NULL;
	if (session->fold_count < WARM_FOLDS_MAX)
		return;
	LIST_FOREACH(&warm->by_use, at, following)
	{
		struct place *place = LIST_ENTRY(at, struct place, by_use);
		if (!oldest && place->session == session && place->fold)
			oldest = place;
	}
	if (oldest)
		drop_place(warm, oldest);
}

static struct place *find_at(const struct warm_session *session, struct record_id at, bool is_fold)
{
	LIST_FOREACH(&session->places, link, following)
	{
		struct place *place = place_of(link);
		if ((place->fold != NULL) == is_fold && record_id_compare(place->where.at, at) == 0)
			return place;
	}
	return NULL;
}

static struct place *add_place(struct warm *warm, struct slice name, const struct fold *fold, bool is_fold)
{
	struct warm_session *session = session_of(warm, name);
	struct place *place = session ? calloc(1, sizeof *place) : NULL;
	if (!place) {
		if (session)
			drop_empty_session(warm, session);
		return NULL;
	}
	struct place *former = find_at(session, fold->at, is_fold);
	if (former)
		drop_place(warm, former);
	if (is_fold)
		drop_oldest_fold(warm, session);
	place->session = session;
	place->where = (struct warm_place){fold->at, fold->skipped + fold->events};
	place->skipped = fold->skipped;
	list_append(&session->places, &place->in_session);
	list_append(&warm->by_use, &place->by_use);
	return place;
}

static void weigh(struct warm *warm, struct place *place, size_t bytes)
{
	place->bytes = sizeof *place + bytes;
	warm->bytes += place->bytes;
	warm_fit(warm, warm->bytes_max);
}

void warm_put(struct warm *warm, struct slice session, struct fold *fold)
{
	struct place *place = add_place(warm, session, fold, true);
	if (!place) {
		fold_free(fold);
		return;
	}
	place->fold = fold;
	place->session->fold_count++;
	weigh(warm, place, fold_bytes(fold));
}

void warm_put_state(struct warm *warm, struct slice session, const struct fold *fold, struct blob *state)
{
	struct place *place = add_place(warm, session, fold, false);
	if (!place)
		return;
	place->state = blob_ref(state);
	weigh(warm, place, sizeof *state + state->len);
}

/* A tree before bytes, where both are. */
static struct place *find_nearest(const struct warm *warm, struct slice name, struct record_id to)
{
	struct place *nearest = NULL;
	const struct warm_session *session = table_get(&warm->sessions, name);
	if (!session)
		return NULL;
	LIST_FOREACH(&session->places, link, following)
	{
		struct place *place = place_of(link);
		if (record_id_compare(place->where.at, to) > 0)
			continue;
		int order = nearest ? record_id_compare(place->where.at, nearest->where.at) : 1;
		if (order > 0 || (order == 0 && place->fold))
			nearest = place;
	}
	return nearest;
}

bool warm_find(const struct warm *warm, struct slice session, struct record_id to, struct warm_place *ret_place)
{
	const struct place *place = find_nearest(warm, session, to);
	if (place)
		*ret_place = place->where;
	return place != NULL;
}

struct fold *warm_take(struct warm *warm, struct fold_rules *rules, size_t limit_bytes, struct slice session, struct record_id at)
{
	struct place *place = find_nearest(warm, session, at);
	struct fold *fold = NULL;
	if (!place)
		return NULL;
	if (place->fold) {
		struct warm_session *of = place->session;
		fold = place->fold;
		place->fold = NULL;
		of->fold_count--;
		drop_place(warm, place);
		drop_empty_session(warm, of);
		return fold;
	}
	const struct slice state = {(const char *)place->state->bytes, place->state->len};
	list_remove(&place->by_use);
	list_append(&warm->by_use, &place->by_use);
	enum err error = fold_read(rules, limit_bytes, session, state, place->where.at, place->skipped, &fold);
	return error ? NULL : fold;
}

void warm_drop(struct warm *warm, struct slice name)
{
	struct warm_session *session = table_get(&warm->sessions, name);
	if (!session)
		return;
	LIST_FOREACH(&session->places, at, following)
	{
		drop_place(warm, place_of(at));
	}
	drop_empty_session(warm, session);
}

void warm_drop_behind(struct warm *warm, struct record_id base)
{
	LIST_FOREACH(&warm->by_use, at, following)
	{
		struct place *place = LIST_ENTRY(at, struct place, by_use);
		struct warm_session *session = place->session;
		if (record_id_compare(place->where.at, base) <= 0)
			continue;
		drop_place(warm, place);
		drop_empty_session(warm, session);
	}
}
