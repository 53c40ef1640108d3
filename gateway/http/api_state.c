/* GET /v1/state: what the state of a session was at a moment, in one piece. */
#include "common/base/arena.h"
#include "gateway/http/handlers.h"
#include "gateway/http/inquiry.h"
#include "gateway/session/state_query.h"

#define WISH_BYTES_MAX ((size_t)64 * 1024)

static void append_blob(struct buf *out, const struct blob *blob)
{
	buf_append(out, blob->bytes, blob->len);
}

static bool write_state(struct buf *out, const struct answer *answer, const struct grants *grants)
{
	(void)grants; /* the question was narrowed to them */
	char at[RECORD_ID_TEXT];
	if (!answer->state)
		return false;
	record_id_write(at, answer->id);
	buf_printf(out, "{\"at\":\"%s\",\"state\":", at);
	append_blob(out, answer->state);
	if (answer->patch) {
		buf_append_text(out, ",\"patch\":");
		append_blob(out, answer->patch);
	}
	buf_append_text(out, "}\n");
	return true;
}

/* The request as the op "state" has it. NULL: answered. */
static struct question *read_question(const struct api_request *request)
{
	static const char *const names[] = {"session", "at", "diffFrom"};
	struct arena arena;
	struct slice text;
	struct question *question = NULL;
	struct history_error error;
	arena_init(&arena, WISH_BYTES_MAX);
	struct value *map = value_map(&arena);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (query_get(&request->query, names[i], &text))
			map = value_put(map, names[i], value_string(&arena, text));
	}
	enum err failed = map ? state_query_of(request->api->exchange, request->grants, map, &question, &error) : ERR_NOMEM;
	arena_fini(&arena);
	if (failed == ERR_INVALID)
		api_refuse(request, 400, error.code, error.message);
	else if (failed)
		inquiry_refuse(request, failed);
	return failed ? NULL : question;
}

struct call *state_open(const struct api_request *request)
{
	if (!inquiry_is_acceptable(request))
		return NULL;
	struct question *question = read_question(request);
	return question ? inquiry_open(request, question, write_state) : NULL;
}
