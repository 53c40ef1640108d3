#include "gateway/session/state_query.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "gateway/auth/access.h"
#include "gateway/filter/glob.h"
#include "gateway/session/exchange_inside.h"

static enum err refuse(struct history_error *error, enum err failed, const char *code, const char *field, const char *why)
{
	error->code = code;
	snprintf(error->message, sizeof error->message, "%s%s%s", field, *field ? ": " : "", why);
	return failed;
}

static enum err read_session(const struct value *body, struct slice *ret_session, struct history_error *error)
{
	const struct value *session = value_get(body, "session");
	if (!session)
		return refuse(error, ERR_INVALID, "bad_request", "session", "missing, a string is needed");
	if (session->kind != VALUE_STRING || session->text.len == 0 || session->text.len > GLOB_BYTES_MAX)
		return refuse(error, ERR_INVALID, "bad_request", "session", "a string of 1 to 1024 bytes is needed");
	*ret_session = session->text;
	return OK;
}

/* "now" is whatever Redis holds when it is read. */
static enum err read_moment(const struct exchange *exchange, const struct value *body, const char *field, struct record_id *ret_id,
			    struct history_error *error)
{
	const struct value *value = value_get(body, field);
	struct moment moment;
	char why[128];
	if (!value)
		return OK;
	if (moment_parse(value, clock_wall_ms(), &moment, why) != OK)
		return refuse(error, ERR_INVALID, "bad_request", field, why);
	*ret_id = moment.kind == MOMENT_NOW ? RECORD_ID_MAX : moment_last(&moment, exchange->feed.log.last);
	return OK;
}

enum err state_query_of(const struct exchange *exchange, const struct grants *grants, const struct value *body,
			struct question **ret_question, struct history_error *ret_error)
{
	struct slice session = SLICE_NONE;
	struct record_id at = RECORD_ID_MAX, diff_from = {0};
	if (!exchange->settings.past.ask)
		return refuse(ret_error, ERR_UNSUPPORTED, "no_history", "",
			      "this gateway keeps no history (history.enabled): it delivers live events only");
	enum err error = read_session(body, &session, ret_error);
	error = error ? error : read_moment(exchange, body, "at", &at, ret_error);
	error = error ? error : read_moment(exchange, body, "diffFrom", &diff_from, ret_error);
	if (error)
		return error;
	struct question *question =
		question_new_state(0, session, at, value_get(body, "diffFrom") ? &diff_from : NULL, access_scope(grants));
	if (!question)
		return refuse(ret_error, ERR_NOMEM, "internal", "", "the gateway is out of memory");
	question->hides_start = !access_covers_session(grants, session);
	*ret_question = question;
	return OK;
}
