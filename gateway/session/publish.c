/* The request "publish": one event is stored, published and stamped in one step; the reply has its id. The data is published byte
 * for byte as the client wrote it. */
#include <stdlib.h>

#include "gateway/metrics/metrics.h"
#include "gateway/session/errand.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/past.h"
#include "gateway/session/publication.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"

struct publish {
	struct list in_exchange;
	struct errand errand;
	bool is_alone; /* its session is gone, and the errand ended */
	struct asker asker;
};

static void publish_free(struct publish *publish)
{
	asker_forget(&publish->asker);
	list_remove(&publish->in_exchange);
	free(publish);
}

static void succeed(struct publish *publish, struct record_id id)
{
	struct arena *arena = &publish->errand.session->exchange->arena;
	char text[RECORD_ID_TEXT];
	size_t len = record_id_write(text, id);
	struct value *ok = value_put(value_map(arena), "id", value_string(arena, (struct slice){text, len}));
	errand_succeed(&publish->errand, ok);
}

static void on_answer(struct asker *asker, struct answer *answer)
{
	struct publish *publish = LIST_ENTRY(asker, struct publish, asker);
	if (answer->error == OK)
		metric_add(METRIC_PUBLISHED, 1);
	if (!publish->is_alone) {
		if (answer->error == OK)
			succeed(publish, answer->id);
		else
			errand_fail_question(&publish->errand, answer->error, answer->why);
	}
	publish_free(publish);
}

/* What was asked for happens although its client left: nobody may take back what may be stored already. */
static void on_cancel(struct errand *errand)
{
	LIST_ENTRY(errand, struct publish, errand)->is_alone = true;
	errand_end(errand);
}

static bool read_data(const struct request *request, struct slice *ret_data)
{
	const struct codec *codec = request->session->front->codec;
	if (codec->member(request->arena, request->message, "data", ret_data))
		return true;
	if (value_get(request->body, "data"))
		request_fail(request, "internal", "the gateway is out of memory");
	else
		request_fail(request, "bad_request", "data: missing, any JSON value is needed");
	return false;
}

static void ask(const struct request *request, struct question *question)
{
	struct publish *publish = calloc(1, sizeof *publish);
	if (!publish) {
		request_fail(request, "internal", "the gateway is out of memory");
		goto fail_question;
	}
	list_init(&publish->in_exchange);
	asker_init(&publish->asker, request->session->exchange, on_answer);
	if (!errand_begin(&publish->errand, request, on_cancel))
		goto fail_publish;
	enum err error = asker_ask(&publish->asker, question);
	if (error == OK) {
		list_append(&request->session->exchange->publishes, &publish->in_exchange);
		return;
	}
	errand_fail_question(&publish->errand, error, NULL);
	free(publish);
	return;

fail_publish:
	free(publish);
fail_question:
	question_free(question);
}

void request_publish(const struct request *request)
{
	struct slice channel, data;
	if (!request->session->exchange->settings.past.ask) {
		request_fail(request, "unsupported",
			     "this gateway keeps no history (history.enabled) and takes no events from clients: PUBLISH them in Redis");
		return;
	}
	if (!request_required_string(request, "channel", &channel) || !read_data(request, &data))
		return;
	struct question *question;
	struct publication_error error;
	if (publication_question(request->session->exchange, request_grants(request), channel, data, &question, &error) == OK)
		ask(request, question);
	else
		request_fail(request, error.code, error.message);
}

void publishes_forget(struct exchange *exchange)
{
	LIST_FOREACH(&exchange->publishes, at, following)
		publish_free(LIST_ENTRY(at, struct publish, in_exchange));
}
