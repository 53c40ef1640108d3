/* The claims of a token (RFC 7519 section 4), each checked with its type. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/codec/base64.h"
#include "common/codec/json.h"
#include "gateway/auth/rights.h"
#include "gateway/auth/token.h"

#define DATE_MAX_MS ((uint64_t)INT64_MAX) /* leaves room for a leeway */
#define DATE_TEXT_MAX 400                 /* no number of a date is spelled longer */

static enum err refuse(enum refusal *ret_refusal, enum refusal refusal)
{
	*ret_refusal = refusal;
	return ERR_DENIED;
}

/* A number that is no 64-bit integer. */
static bool date_of_text(struct slice spelling, uint64_t *ret_ms)
{
	char text[DATE_TEXT_MAX + 1];
	if (spelling.len > DATE_TEXT_MAX)
		return false;
	memcpy(text, spelling.ptr, spelling.len);
	text[spelling.len] = '\0';
	double ms = strtod(text, NULL) * (double)MS_PER_S;
	if (!(ms > 0))
		*ret_ms = 0;
	else
		*ret_ms = ms >= (double)DATE_MAX_MS ? DATE_MAX_MS : (uint64_t)ms;
	return true;
}

/* A NumericDate: seconds since 1970, perhaps with a fraction. What lies before 1970 is 1970, what lies beyond 64 bits
 * is the last date there is. False: no number. */
static bool read_date(const struct value *claim, uint64_t *ret_ms)
{
	switch (claim->kind) {
	case VALUE_UINT:
		*ret_ms = claim->uint > DATE_MAX_MS / MS_PER_S ? DATE_MAX_MS : claim->uint * MS_PER_S;
		return true;
	case VALUE_INT:
		*ret_ms = 0;
		return true;
	case VALUE_NUMBER:
		return date_of_text(claim->text, ret_ms);
	case VALUE_NULL:
	case VALUE_BOOL:
	case VALUE_STRING:
	case VALUE_RAW:
	case VALUE_ARRAY:
	case VALUE_MAP:
		break;
	}
	return false;
}

/* ret_ends_ms: when the token stops to be taken, 0: never. */
static enum err check_times(const struct value *claims, const struct token_rules *rules, uint64_t now_ms,
                            uint64_t *ret_ends_ms, enum refusal *ret_refusal)
{
	const struct value *expiry = value_get(claims, "exp"), *not_before = value_get(claims, "nbf"),
	                   *issued = value_get(claims, "iat");
	uint64_t expiry_ms = 0, not_before_ms = 0, issued_ms = 0;
	if (!expiry && rules->requires_expiry)
		return refuse(ret_refusal, REFUSAL_NO_EXPIRY);
	if ((expiry && !read_date(expiry, &expiry_ms)) || (not_before && !read_date(not_before, &not_before_ms)) ||
	    (issued && !read_date(issued, &issued_ms)))
		return refuse(ret_refusal, REFUSAL_TIME_TYPE);
	if (expiry && now_ms >= expiry_ms + rules->leeway_ms)
		return refuse(ret_refusal, REFUSAL_EXPIRED);
	if (not_before_ms > now_ms + rules->leeway_ms)
		return refuse(ret_refusal, REFUSAL_NOT_BEFORE);
	if (issued_ms > now_ms + rules->leeway_ms)
		return refuse(ret_refusal, REFUSAL_ISSUED_LATER);
	*ret_ends_ms = expiry ? expiry_ms + rules->leeway_ms : 0;
	return OK;
}

static bool is_issuer(const struct value *issuer, struct slice wanted)
{
	if (issuer && issuer->kind != VALUE_STRING)
		return false;
	return wanted.len == 0 || (issuer && slice_equal(issuer->text, wanted));
}

/* "aud" is a string or an array of strings, of which one must be ours. */
static bool is_audience(const struct value *audience, struct slice wanted)
{
	bool is_ours = wanted.len == 0;
	if (!audience)
		return is_ours;
	if (audience->kind == VALUE_STRING)
		return is_ours || slice_equal(audience->text, wanted);
	if (audience->kind != VALUE_ARRAY)
		return false;
	for (const struct value *entry = audience->list.first; entry; entry = entry->next) {
		if (entry->kind != VALUE_STRING)
			return false;
		is_ours = is_ours || slice_equal(entry->text, wanted);
	}
	return is_ours;
}

static enum err check_names(const struct value *claims, const struct token_rules *rules, struct slice *ret_subject,
                            enum refusal *ret_refusal)
{
	const struct value *subject = value_get(claims, "sub"), *id = value_get(claims, "jti");
	if (!is_issuer(value_get(claims, "iss"), rules->issuer))
		return refuse(ret_refusal, REFUSAL_ISSUER);
	if (!is_audience(value_get(claims, "aud"), rules->audience))
		return refuse(ret_refusal, REFUSAL_AUDIENCE);
	if (id && id->kind != VALUE_STRING)
		return refuse(ret_refusal, REFUSAL_TOKEN_ID);
	if (!subject || subject->kind != VALUE_STRING || !rights_is_identity(subject->text))
		return refuse(ret_refusal, REFUSAL_SUBJECT);
	*ret_subject = subject->text;
	return OK;
}

/* By the member that is wrong, "channels[2]". */
static enum refusal refusal_of(const char *where)
{
	static const struct {
		const char *member;
		enum refusal refusal;
	} members[] = {{"channels", REFUSAL_CHANNELS}, {"sessions", REFUSAL_SESSIONS}, {"agents", REFUSAL_AGENTS},
		       {"ops", REFUSAL_OPS}, {"limits", REFUSAL_LIMITS}};
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		if (slice_is((struct slice){where, strcspn(where, "[.")}, members[i].member))
			return members[i].refusal;
	}
	return REFUSAL_RIGHTS;
}

static enum err read_rights(const struct value *rights, const struct token_rules *rules, struct arena *arena,
                            struct grants *grants, enum refusal *ret_refusal)
{
	struct filter_error wrong;
	if (!rights)
		return OK;
	if (rights->kind != VALUE_MAP)
		return refuse(ret_refusal, REFUSAL_RIGHTS);
	for (const struct value *member = rights->list.first; member; member = member->next) {
		if (!rights_is_member(member->key))
			return refuse(ret_refusal, REFUSAL_RIGHTS);
	}
	enum err error = rights_read(rights, rules->served, arena, grants, &wrong);
	return error == OK || error == ERR_NOMEM ? error : refuse(ret_refusal, refusal_of(wrong.where));
}

static enum err decode_claims(struct slice payload, struct arena *arena, struct value **ret_claims,
                              enum refusal *ret_refusal)
{
	size_t len;
	struct json_error wrong;
	char *json = arena_alloc(arena, payload.len + 1);
	if (!json)
		return ERR_NOMEM;
	if (!base64url_decode(payload, json, &len))
		return refuse(ret_refusal, REFUSAL_BASE64);
	enum err error = json_decode(arena, (struct slice){json, len}, ret_claims, &wrong);
	if (error == ERR_NOMEM)
		return error;
	return error == OK && (*ret_claims)->kind == VALUE_MAP ? OK : refuse(ret_refusal, REFUSAL_NO_CLAIMS);
}

enum err token_grants(const struct token *token, const struct token_rules *rules, uint64_t now_ms, struct arena *arena,
                      struct grants **ret_grants, enum refusal *ret_refusal)
{
	struct value *claims = NULL;
	struct slice subject;
	uint64_t ends_ms = 0;
	enum err error = decode_claims(token->payload, arena, &claims, ret_refusal);
	if (error == OK)
		error = check_times(claims, rules, now_ms, &ends_ms, ret_refusal);
	if (error == OK)
		error = check_names(claims, rules, &subject, ret_refusal);
	if (error != OK)
		return error;
	struct grants *grants = grants_new(subject);
	if (!grants)
		return ERR_NOMEM;
	grants->expires_ms = ends_ms;
	error = read_rights(value_get(claims, "tracegate"), rules, arena, grants, ret_refusal);
	if (error == OK)
		*ret_grants = grants;
	else
		grants_unref(grants);
	return error;
}
