/* GET /v1/sessions: the sessions that have a stream, page by page; for a client that is granted some only, what of the page is among
 * them. */
#include <inttypes.h>

#include "common/base/decimal.h"
#include "common/codec/json.h"
#include "gateway/auth/access.h"
#include "gateway/http/handlers.h"
#include "gateway/http/inquiry.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000

static void append_id(struct buf *out, const char *name, struct record_id id)
{
	char text[RECORD_ID_TEXT];
	record_id_write(text, id);
	buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

static void append_summary(struct buf *out, const struct session_summary *summary)
{
	buf_append_text(out, "{\"session\":");
	json_append_string(out, summary->session);
	append_id(out, "first", summary->first);
	append_id(out, "last", summary->last);
	buf_printf(out, ",\"length\":%" PRIu64 "}", summary->length);
}

static bool write_list(struct buf *out, const struct answer *answer, const struct grants *grants)
{
	const struct session_list *list = answer->sessions;
	if (!list)
		return false;
	buf_append_text(out, "{\"sessions\":[");
	for (size_t i = 0, count = 0; i < list->count; i++) {
		if (!access_covers_session(grants, list->sessions[i].session))
			continue;
		if (count++)
			buf_append_char(out, ',');
		append_summary(out, &list->sessions[i]);
	}
	if (list->cursor)
		buf_printf(out, "],\"next\":\"%" PRIu64 "\"}\n", list->cursor);
	else
		buf_append_text(out, "],\"next\":null}\n");
	return true;
}

struct call *sessions_open(const struct api_request *request)
{
	uint64_t limit = LIMIT_DEFAULT, cursor = 0;
	struct slice text;
	if (!access_lists_sessions(request->grants))
		return api_refuse(request, 403, "not_allowed",
				  "a list of sessions is for credentials that are granted whole sessions, or everything");
	if (!inquiry_is_acceptable(request))
		return NULL;
	if (query_get(&request->query, "limit", &text) && (!decimal_read(text, LIMIT_MAX, &limit) || limit == 0))
		return api_refuse(request, 400, "bad_request", "limit: a whole number from 1 to 1000 is needed");
	if (query_get(&request->query, "cursor", &text) && !decimal_read(text, UINT64_MAX, &cursor))
		return api_refuse(request, 400, "bad_request", "cursor: the next of an earlier answer is needed");
	return inquiry_open(request, question_new_sessions(0, cursor, (size_t)limit), write_list);
}
