#include "gateway/session/errand.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/past.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"

static bool has_text(const struct value *id)
{
	return id->kind == VALUE_STRING || id->kind == VALUE_NUMBER;
}

/* The request dies with its turn: its id is kept. */
static bool keep_id(struct errand *errand, const struct value *id)
{
	errand->has_id = id != NULL;
	if (!id)
		return true;
	errand->id = (struct value){.kind = id->kind};
	if (!has_text(id)) {
		errand->id = *id;
		errand->id.next = NULL;
		return true;
	}
	char *text = malloc(id->text.len + 1);
	if (!text)
		return false;
	memcpy(text, id->text.ptr, id->text.len);
	errand->id.text = (struct slice){text, id->text.len};
	return true;
}

static bool begin(struct errand *errand, const struct request *request, bool is_bounded, errand_cancel *on_cancel)
{
	struct session *session = request->session;
	*errand = (struct errand){.session = session, .is_bounded = is_bounded, .on_cancel = on_cancel};
	if (!keep_id(errand, request->id)) {
		request_fail(request, "internal", "the gateway is out of memory");
		return false;
	}
	list_append(&session->errands, &errand->in_session);
	session->errand_count += is_bounded;
	return true;
}

bool errand_begin(struct errand *errand, const struct request *request, errand_cancel *on_cancel)
{
	struct session *session = request->session;
	size_t limit = session->allowance.limit[LIMIT_REQUESTS];
	if (limit && session->errand_count >= limit) {
		request_fail_for_now(request, "too_many_requests",
				     "this connection has as many requests under way as it may have (welcome.limits.requests)",
				     ERRAND_RETRY_MS);
		return false;
	}
	return begin(errand, request, true, on_cancel);
}

bool errand_begin_unbounded(struct errand *errand, const struct request *request, errand_cancel *on_cancel)
{
	return begin(errand, request, false, on_cancel);
}

static void detach(struct errand *errand)
{
	list_remove(&errand->in_session);
	errand->session->errand_count -= errand->is_bounded;
}

static void free_id(struct errand *errand)
{
	if (errand->has_id && has_text(&errand->id))
		free((char *)(uintptr_t)errand->id.text.ptr);
	errand->has_id = false;
}

void errand_end(struct errand *errand)
{
	detach(errand);
	free_id(errand);
}

static const struct value *id_of(const struct errand *errand)
{
	return errand->has_id ? &errand->id : NULL;
}

void errand_succeed(struct errand *errand, struct value *ok)
{
	detach(errand);
	request_reply(errand->session, id_of(errand), ok);
	free_id(errand);
}

void errand_fail(struct errand *errand, const char *code, const char *message, uint64_t retry_after_ms)
{
	detach(errand);
	metric_add(METRIC_COMMAND_ERRORS, 1);
	request_refuse(errand->session, id_of(errand), code, message, retry_after_ms);
	free_id(errand);
}

void errand_fail_question(struct errand *errand, enum err error, const char *why)
{
	struct past_failure failure = past_failure_of(error, why);
	errand_fail(errand, failure.code, failure.message, failure.is_temporary ? ERRAND_RETRY_MS : 0);
}

void errands_cancel(struct session *session)
{
	while (!list_is_empty(&session->errands)) {
		struct errand *errand = LIST_ENTRY(session->errands.next, struct errand, in_session);
		errand->on_cancel(errand);
	}
}

/* NULL: none. */
static struct errand *first_reading(const struct session *session)
{
	LIST_FOREACH(&session->errands, at, following) {
		struct errand *errand = LIST_ENTRY(at, struct errand, in_session);
		if (errand->reads)
			return errand;
	}
	return NULL;
}

/* Each ends before it is told of, which may close the session and end the others with it. */
void errands_end_reading(struct session *session)
{
	struct errand *errand;
	while ((errand = first_reading(session))) {
		struct errand told = {.has_id = errand->has_id, .id = errand->id};
		errand->has_id = false;
		errand->on_cancel(errand);
		request_refuse(session, id_of(&told), "unavailable", "the credential of this connection changed meanwhile: ask again", 1);
		free_id(&told);
	}
}
