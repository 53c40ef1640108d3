/* A request head as it comes from a socket, then the decision about it and the answer. */
#include <stdint.h>
#include <stdlib.h>

#include "gateway/auth/auth.h"
#include "gateway/http/upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct head head;
	static struct auth *auth;
	const struct auth_settings settings = {.jwt_secret = "0123456789abcdef0123456789abcdef"};
	char why[256];
	if (!auth && auth_new(&settings, &auth, why) != OK)
		abort();
	const struct upgrade_policy policy = {.retry_after_s = 1, .auth = auth};
	struct grants *grants = NULL;
	const struct front *front = NULL;
	struct refusal refusal = {0};
	struct buf answer;
	enum head_status status = head_read((struct slice){(const char *)bytes, len}, &head);
	if (status == HEAD_COMPLETE) {
		if (head.len > len || head.path.len + head.query.len > head.target.len)
			abort();
		if (upgrade_decide(&head, &policy, &front, &grants, &refusal) == UPGRADE_GO) {
			if (!front || !grants)
				abort();
			grants_unref(grants);
			return 0;
		}
	} else {
		refusal = refusal_for_head(status, head.why);
	}
	if (refusal.status < 400 || refusal.status > 599)
		abort();
	buf_init(&answer);
	refusal_write(&answer, &refusal, SLICE_NONE);
	buf_fini(&answer);
	return 0;
}
