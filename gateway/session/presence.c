#include "gateway/session/presence.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/codec/json.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/past.h"
#include "gateway/session/session_inside.h"

static void on_answer(struct asker *asker, struct answer *answer)
{
	(void)asker;
	(void)answer;
}

static void write_text(struct buf *out, const char *name, struct slice text)
{
	buf_printf(out, ",\"%s\":", name);
	json_append_string(out, text);
}

static void publish(struct exchange *exchange, const struct buf *channel, const struct buf *payload)
{
	struct asker asker;
	if (buf_has_failed(channel) || buf_has_failed(payload))
		return;
	asker_init(&asker, exchange, on_answer);
	enum err error = asker_ask(&asker, question_new_publish(0, buf_slice(channel), buf_slice(payload), SLICE_NONE));
	if (error == OK)
		asker_forget(&asker);
}

static void tell(struct session *session, const char *type, const char *cause)
{
	struct exchange *exchange = session->exchange;
	struct slice node = slice_of(exchange->settings.node);
	struct buf channel, payload;
	buf_init(&channel);
	buf_init(&payload);
	buf_append_text(&channel, FILTER_SYSTEM_PREFIX);
	buf_append_slice(&channel, node);
	buf_printf(&payload, "{\"type\":\"%s\"", type);
	write_text(&payload, "node", node);
	buf_printf(&payload, ",\"at\":%" PRIu64 ",\"client\":\"%" PRIu64 "\"", clock_wall_ms(), session->id);
	write_text(&payload, "identity", session->bearer.grants->identity);
	if (cause)
		write_text(&payload, "cause", slice_of(cause));
	buf_append_char(&payload, '}');
	publish(exchange, &channel, &payload);
	buf_fini(&channel);
	buf_fini(&payload);
}

void presence_connected(struct session *session)
{
	if (!session->exchange->settings.tells_clients || session->is_told || !session->bearer.grants)
		return;
	session->is_told = true;
	tell(session, "client.connected", NULL);
}

void presence_disconnected(struct session *session)
{
	if (session->is_told)
		tell(session, "client.disconnected", close_name(session->cause));
}
