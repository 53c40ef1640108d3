#include "gateway/tools/credential.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "gateway/tools/show.h"

#define LOOK_MS 1000
#define CREDENTIAL_BYTES_MAX 16384 /* more than a node takes in a request head */
#define CLOSED_FOR_CREDENTIAL 4401
#define REFUSED_FOR_CREDENTIAL 401 /* before the upgrade */
#define BLANKS " \t\r\n"

/* What is wrong with it; NULL: nothing. Gives it without the blanks around, NUL-terminated. */
static const char *read_text(const char *path, struct buf *out)
{
	char bytes[CREDENTIAL_BYTES_MAX + 1];
	FILE *file = fopen(path, "r");
	size_t len = file ? fread(bytes, 1, sizeof bytes, file) : 0;
	const char *why = !file || ferror(file) ? strerror(errno) : NULL;
	if (file)
		fclose(file);
	if (why || len > CREDENTIAL_BYTES_MAX)
		return why ? why : "too long for a token or an API key";
	bytes[len] = '\0';
	char *text = bytes + strspn(bytes, BLANKS);
	size_t text_len = strcspn(text, BLANKS);
	if (!text_len || strspn(text + text_len, BLANKS) != len - (size_t)(text - bytes) - text_len)
		return "not one token or API key, and nothing else";
	buf_append(out, text, text_len);
	buf_append_char(out, '\0');
	return buf_has_failed(out) ? "no memory" : NULL;
}

bool credential_open(struct credential *credential, const char *token, const char *file)
{
	*credential = (struct credential){.file = file, .token = token};
	buf_init(&credential->text);
	const char *why = file ? read_text(file, &credential->text) : NULL;
	if (why)
		fprintf(stderr, "tgcli: %s: %s\n", file, why);
	return !why;
}

void credential_close(struct credential *credential)
{
	buf_fini(&credential->text);
}

const char *credential_text(const struct credential *credential)
{
	return credential->file ? credential->text.bytes : credential->token;
}

/* Takes what the file holds now. NULL: it is another one than the client was given last; else why not. */
static const char *take_another(struct credential *credential)
{
	struct buf text;
	buf_init(&text);
	const char *why = read_text(credential->file, &text);
	if (!why && strcmp(text.bytes, credential->text.bytes) == 0)
		why = "the same token as before";
	if (why) {
		buf_fini(&text);
		return why;
	}
	buf_fini(&credential->text);
	credential->text = text;
	return NULL;
}

static void tell_of_new(const struct credential *credential)
{
	fprintf(stderr, "tgcli: goes on with the new token of %s\n", credential->file);
}

static void on_authenticated(struct tgc_client *client, void *context, const struct tgc_reply *reply)
{
	struct credential *credential = context;
	struct tgc_text code = reply->code;
	(void)client;
	if (reply->kind == TGC_REPLY_OK) {
		credential->is_judged = true;
		tell_of_new(credential);
		return;
	}
	if (slice_is((struct slice){code.ptr, code.len}, "disconnected"))
		return; /* the next connection begins with it */
	credential->is_judged = slice_is((struct slice){code.ptr, code.len}, "bad_credentials");
	show_error(reply);
}

static void bring_another(struct credential *credential, struct tgc_client *client)
{
	const char *why = take_another(credential);
	credential->look_at_ms = clock_mono_ms() + LOOK_MS;
	if (why && !credential->has_told)
		fprintf(stderr, "tgcli: the token expires soon; %s: %s; looking for another one until then\n", credential->file, why);
	credential->has_told = why != NULL;
	if (why)
		return;
	credential->is_wanted = credential->is_judged = false;
	enum tgc_result result = tgc_authenticate(client, credential->text.bytes, on_authenticated, credential);
	if (result && result != TGC_OFFLINE)
		fprintf(stderr, "tgcli: %s: %s\n", credential->file, tgc_why(client));
}

void credential_notice(struct credential *credential, struct tgc_client *client, const struct tgc_notice *notice)
{
	if (!credential->file || !slice_is((struct slice){notice->code.ptr, notice->code.len}, "tokenExpiring"))
		return;
	credential->is_wanted = true;
	bring_another(credential, client);
}

void credential_look(struct credential *credential, struct tgc_client *client)
{
	if (credential->is_wanted && clock_mono_ms() >= credential->look_at_ms)
		bring_another(credential, client);
}

static bool is_refused(const struct tgc_status *status)
{
	return status->state == TGC_CLOSED && (status->code == CLOSED_FOR_CREDENTIAL || status->code == REFUSED_FOR_CREDENTIAL);
}

bool credential_renew(struct credential *credential, struct tgc_client *client, const struct tgc_status *status)
{
	bool was_judged = credential->is_judged;
	credential->is_wanted = credential->is_wanted && status->state == TGC_OPEN;
	credential->is_judged = was_judged || status->state == TGC_CONNECTING;
	if (!credential->file || !is_refused(status))
		return false;
	const char *why = take_another(credential);
	if (why && was_judged) {
		fprintf(stderr, "tgcli: %s: %s: put a good one there and start again\n", credential->file, why);
		return false;
	}
	if (tgc_set_token(client, credential->text.bytes) != TGC_OK) {
		fprintf(stderr, "tgcli: %s: %s\n", credential->file, tgc_why(client));
		return false;
	}
	tell_of_new(credential);
	tgc_open(client);
	return true;
}
