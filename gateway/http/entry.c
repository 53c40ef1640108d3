#include "gateway/http/entry.h"

#include "common/base/clock.h"
#include "gateway/auth/auth.h"
#include "gateway/http/admission_refusal.h"
#include "gateway/http/credential.h"
#include "gateway/session/allowance.h"

static bool refuse(struct refusal *ret_refusal, unsigned status, const char *code, const char *message, enum metric metric)
{
	*ret_refusal = (struct refusal){.status = status, .code = code, .message = message, .metric = metric};
	return false;
}

static bool refuse_credential(struct refusal *ret_refusal, unsigned status, const char *code, const char *message, const char *challenge)
{
	*ret_refusal = (struct refusal){
		.status = status, .code = code, .message = message, .metric = METRIC_REFUSED_CREDENTIALS, .challenge = challenge};
	return false;
}

static bool refuse_memory(struct refusal *ret_refusal)
{
	return refuse(ret_refusal, 500, "internal", "the gateway is out of memory", METRIC_REFUSED_MEMORY);
}

static bool judge_origin(const struct head *head, const struct entry_policy *policy, struct refusal *ret_refusal)
{
	struct slice origin;
	if (cors_judge(policy->cors, head, &origin) != CORS_REFUSED)
		return true;
	return refuse(ret_refusal, 403, "origin_not_allowed", "this Origin may not connect; see cors.origins", METRIC_REFUSED_ORIGIN);
}

static bool judge_draining(const struct entry_policy *policy, struct refusal *ret_refusal)
{
	if (!policy->is_draining)
		return true;
	refuse(ret_refusal, 503, "draining", "this node is draining; connect to another", METRIC_REFUSED_DRAINING);
	ret_refusal->retry_after_s = policy->retry_after_s;
	return false;
}

static bool let_in_unknown(const struct entry_policy *policy, struct entry *ret_entry, struct refusal *ret_refusal)
{
	ret_entry->grants = policy->auth ? auth_anonymous(policy->auth) : NULL;
	if (ret_entry->grants || policy->may_tell_later)
		return true;
	return refuse_credential(ret_refusal, 401, "unauthenticated",
				 "a credential is needed: Authorization: Bearer, X-API-Key, or access_token in the query", ENTRY_NO_CREDENTIAL);
}

static bool check(const struct entry_policy *policy, struct slice credential, struct entry *ret_entry, struct refusal *ret_refusal)
{
	const char *why = "no credential is known here";
	enum auth_verdict verdict = AUTH_REFUSED;
	if (policy->auth)
		verdict = auth_check(policy->auth, credential, clock_wall_ms(), &ret_entry->grants, &why);
	if (verdict == AUTH_GRANTED)
		return true;
	ret_entry->grants = NULL;
	if (verdict == AUTH_NO_MEMORY)
		return refuse_memory(ret_refusal);
	return refuse_credential(ret_refusal, 401, "bad_credentials", why, ENTRY_BAD_CREDENTIAL);
}

static bool judge_credential(const struct head *head, const struct entry_policy *policy, struct entry *ret_entry,
			     struct refusal *ret_refusal)
{
	char storage[HEAD_TARGET_MAX];
	struct query query;
	struct slice credential;
	const char *why;
	if (head->query.len > sizeof storage || query_read(head->query, storage, &query, &why) != OK)
		return refuse_credential(ret_refusal, 400, "bad_request", head->query.len > sizeof storage ? "the query is too long" : why,
					 ENTRY_MALFORMED);
	switch (credential_find(head, &query, &credential, &why)) {
	case CREDENTIAL_FOUND:
		return check(policy, credential, ret_entry, ret_refusal);
	case CREDENTIAL_MALFORMED:
		return refuse_credential(ret_refusal, 400, "bad_request", why, ENTRY_MALFORMED);
	case CREDENTIAL_NONE:
		break;
	}
	return let_in_unknown(policy, ret_entry, ret_refusal);
}

static bool judge_memory(const struct entry_policy *policy, struct refusal *ret_refusal)
{
	if (policy->is_over_memory)
		*ret_refusal = refusal_over_memory;
	return !policy->is_over_memory;
}

static void drop_grants(struct entry *entry)
{
	grants_unref(entry->grants);
	entry->grants = NULL;
}

/* What is refused before it is known who asks costs no more than this refusal would, so it is not counted. */
static bool judge_rate(const struct entry_policy *policy, struct entry *entry, struct refusal *ret_refusal)
{
	uint64_t wait_ms = 0;
	if (!policy->exchange || allowance_take_request(policy->exchange, policy->admission, entry->grants, &wait_ms))
		return true;
	metric_add(METRIC_RATE_LIMITED, 1);
	refuse(ret_refusal, 429, "rate_limited", "too many requests in a second", METRIC_RATE_LIMITED);
	ret_refusal->retry_after_ms = (unsigned)wait_ms; /* at most a second */
	drop_grants(entry);
	return false;
}

/* Who has yet to say who it is stays a stranger. */
static bool judge_identity(const struct entry_policy *policy, struct entry *entry, struct refusal *ret_refusal)
{
	enum connections_verdict verdict = allowance_admit(policy->connections, policy->admission, entry->grants);
	if (verdict == CONNECTIONS_ADMITTED)
		return true;
	*ret_refusal = *admission_refusal(verdict);
	drop_grants(entry);
	return false;
}

bool entry_judge(const struct head *head, const struct entry_policy *policy, struct entry *ret_entry, struct refusal *ret_refusal)
{
	*ret_entry = (struct entry){.grants = NULL};
	if (!judge_origin(head, policy, ret_refusal) || !judge_draining(policy, ret_refusal) || !judge_memory(policy, ret_refusal))
		return false;
	return slice_is(head->method, "OPTIONS") ||
	       (judge_credential(head, policy, ret_entry, ret_refusal) && judge_rate(policy, ret_entry, ret_refusal) &&
		judge_identity(policy, ret_entry, ret_refusal));
}
