#include "gateway/session/presence.h"

#include <inttypes.h>

#include "common/codec/json.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/past.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/system_event.h"

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
	struct buf channel, payload, more;
	buf_init(&channel);
	buf_init(&payload);
	buf_init(&more);
	buf_printf(&more, ",\"client\":\"%" PRIu64 "\"", session->id);
	write_text(&more, "identity", session->bearer.grants->identity);
	if (cause)
		write_text(&more, "cause", slice_of(cause));
	system_event_write(&channel, &payload, session->exchange->settings.node, type, buf_slice(&more));
	if (!buf_has_failed(&more))
		publish(session->exchange, &channel, &payload);
	buf_fini(&channel);
	buf_fini(&payload);
	buf_fini(&more);
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
