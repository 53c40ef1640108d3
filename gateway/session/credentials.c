/* The credential of a session's client: the op auth, which brings the first or another, and what becomes of the session when it
 * expires or is taken away. */
#include "common/base/clock.h"
#include "gateway/auth/auth.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/presence.h"
#include "gateway/session/regrant.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/telling.h"

#define TOO_MANY_CONNECTIONS_RETRY_MS 2000

static struct session *session_of(struct bearer *bearer)
{
	return LIST_ENTRY(bearer, struct session, bearer);
}

static void warn(struct bearer *bearer)
{
	struct telling notice = telling_begin_notice(session_of(bearer), "tokenExpiring");
	telling_put(&notice, "expiresAt", value_uint(notice.arena, bearer->grants->expires_ms));
	telling_send(&notice);
}

/* A close frame says why by itself, but in no operator's words; a front without one says it in a notice. */
static void end(struct bearer *bearer, enum close_cause cause, const char *reason)
{
	struct session *session = session_of(bearer);
	if (reason || session->front->is_one_way) {
		struct telling notice = telling_begin_notice(session, "closing");
		telling_put(&notice, "closeCode", value_uint(notice.arena, close_code(cause)));
		telling_put_text(&notice, "reason", reason ? reason : close_reason(cause));
		telling_send(&notice);
	}
	session_close(session, cause);
}

const struct bearer_ops session_bearer_ops = {.warn = warn, .end = end};

/* Anonymous clients may say who they are; anybody else stays who it is: what it subscribed to and asked for was asked in that name. */
static bool may_become(const struct session *session, const struct grants *grants)
{
	const struct grants *former = session->bearer.grants;
	struct grants *anonymous = auth_anonymous(session->exchange->settings.auth);
	bool may = !former || former == anonymous || slice_equal(former->identity, grants->identity);
	grants_unref(anonymous);
	return may;
}

static void reply(const struct request *request, const struct grants *grants)
{
	struct arena *arena = request->arena;
	const struct session *session = request->session;
	struct value *ok = value_put(value_map(arena), "identity", value_string(arena, grants->identity));
	struct value *expires = grants->expires_ms ? value_uint(arena, grants->expires_ms) : value_null(arena);
	ok = value_put(ok, "expiresAt", expires);
	request_succeed(request, value_put(ok, "limits", allowance_write(arena, &session->allowance, &session->exchange->settings)));
}

/* What was asked for under the former grants goes on as far as the new ones let it. */
static void become(const struct request *request, struct grants *grants)
{
	struct session *session = request->session;
	struct grants *former = session->bearer.grants ? grants_ref(session->bearer.grants) : NULL;
	bearer_set_grants(&session->bearer, grants);
	session_allow(session, grants);
	if (former)
		regrant(session, former);
	grants_unref(former);
	presence_connected(session);
	reply(request, grants);
}

void request_auth(const struct request *request)
{
	struct session *session = request->session;
	struct auth *auth = session->exchange->settings.auth;
	struct grants *grants = NULL;
	struct slice token;
	const char *why = "no credential is known here";
	enum auth_verdict verdict = AUTH_REFUSED;
	if (!request_required_string(request, "token", &token))
		return;
	if (auth)
		verdict = auth_check(auth, token, clock_wall_ms(), &grants, &why);
	if (verdict == AUTH_NO_MEMORY) {
		request_fail(request, "internal", "the gateway is out of memory");
	} else if (verdict != AUTH_GRANTED) {
		request_fail(request, "bad_credentials", why);
		session_close(session, CLOSE_BAD_CREDENTIALS);
	} else if (!may_become(session, grants)) {
		request_fail(request, "identity_mismatch", "this connection is another identity's: open one of its own");
		grants_unref(grants);
	} else if (allowance_admit(session->exchange->settings.connections, session->port->admission, grants) != CONNECTIONS_ADMITTED) {
		request_fail_for_now(request, "too_many_connections", "this identity has as many connections as it may have",
				     TOO_MANY_CONNECTIONS_RETRY_MS);
		grants_unref(grants);
	} else {
		become(request, grants);
		grants_unref(grants);
	}
}
