/* The API key file: {"keys":[{"id":...,"key":... or "sha256":...,"channels":[...],...}]} */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/json.h"
#include "common/data/table.h"
#include "common/protocol/log.h"
#include "gateway/auth/keyset.h"
#include "gateway/auth/openssl.h"
#include "gateway/auth/rights.h"
#include "gateway/auth/token.h"

#define TREE_BYTES_MAX ((size_t)256 << 20)
#define KEY_BYTES_MIN 8
#define KEY_BYTES_MAX 512
#define SHOWN_BYTES 40
#define ISO_TIME_DASH 4 /* where the first '-' of an ISO 8601 time is */

/* An entry that is being read. */
struct reading {
	struct arena *arena;
	struct filter_patterns served;
	const struct value *entry;
	struct table ids; /* of the entries before */
	char why[KEYSET_WHY];
};

PRINTF_LIKE(2, 3)
static enum err refuse(struct reading *reading, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reading->why, sizeof reading->why, format, arguments);
	va_end(arguments);
	return ERR_INVALID;
}

static int shown_len(struct slice text)
{
	return text.len < SHOWN_BYTES ? (int)text.len : SHOWN_BYTES;
}

static enum err check_members(struct reading *reading)
{
	static const char *const own[] = {"id", "key", "sha256", "expires"};
	if (reading->entry->kind != VALUE_MAP)
		return refuse(reading, "must be an object, not %s", value_kind_name(reading->entry->kind));
	for (const struct value *member = reading->entry->list.first; member; member = member->next) {
		bool is_known = rights_is_member(member->key);
		for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
			is_known = is_known || slice_is(member->key, own[i]);
		if (!is_known)
			return refuse(reading, "there is no field \"%.*s\"", shown_len(member->key), member->key.ptr);
	}
	return OK;
}

static enum err read_id(struct reading *reading, struct slice *ret_id)
{
	const struct value *id = value_get(reading->entry, "id");
	if (!id || id->kind != VALUE_STRING || !rights_is_identity(id->text))
		return refuse(reading, "id: must be a string of 1 to %d bytes without control characters", RIGHTS_IDENTITY_MAX);
	enum err error = table_put(&reading->ids, id->text, &reading->ids);
	if (error == ERR_EXISTS)
		return refuse(reading, "id: another entry has the same");
	*ret_id = id->text;
	return error;
}

/* A key goes through headers and addresses, and must not be taken for a token. */
static enum err digest_of_key(struct reading *reading, const struct value *key,
                              unsigned char ret_digest[API_KEY_DIGEST_BYTES])
{
	if (key->kind != VALUE_STRING || key->text.len < KEY_BYTES_MIN || key->text.len > KEY_BYTES_MAX)
		return refuse(reading, "key: must be a string of %d to %d bytes", KEY_BYTES_MIN, KEY_BYTES_MAX);
	for (size_t i = 0; i < key->text.len; i++) {
		if (key->text.ptr[i] <= ' ' || key->text.ptr[i] > '~')
			return refuse(reading, "key: may hold visible ASCII characters only");
	}
	struct token token;
	enum err error = token_read(key->text, reading->arena, &token);
	if (error == OK)
		return refuse(reading, "key: has the form of a token, and would be taken for one");
	if (error == ERR_NOMEM)
		return error;
	keyset_digest(key->text, ret_digest);
	return OK;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum err digest_of_hex(struct reading *reading, const struct value *hex,
                              unsigned char ret_digest[API_KEY_DIGEST_BYTES])
{
	bool is_right = hex->kind == VALUE_STRING && hex->text.len == (size_t)2 * API_KEY_DIGEST_BYTES;
	for (size_t i = 0; is_right && i < API_KEY_DIGEST_BYTES; i++) {
		int high = hex_value(hex->text.ptr[2 * i]), low = hex_value(hex->text.ptr[2 * i + 1]);
		is_right = high >= 0 && low >= 0;
		ret_digest[i] = is_right ? (unsigned char)(high << 4 | low) : 0;
	}
	return is_right ? OK : refuse(reading, "sha256: must be the 64 hex digits of the key's SHA-256");
}

static enum err read_digest(struct reading *reading, unsigned char ret_digest[API_KEY_DIGEST_BYTES])
{
	const struct value *key = value_get(reading->entry, "key"), *hex = value_get(reading->entry, "sha256");
	if (!key == !hex)
		return refuse(reading, "key: one of \"key\" and \"sha256\" is needed");
	return key ? digest_of_key(reading, key, ret_digest) : digest_of_hex(reading, hex, ret_digest);
}

static enum err read_expiry(struct reading *reading, uint64_t *ret_ms)
{
	const struct value *expires = value_get(reading->entry, "expires");
	struct moment moment;
	char why[128];
	if (!expires)
		return OK;
	bool is_iso = expires->kind == VALUE_STRING && expires->text.len > ISO_TIME_DASH &&
	              expires->text.ptr[ISO_TIME_DASH] == '-' &&
	              moment_parse_text(expires->text, 0, &moment, why) == OK && moment.kind == MOMENT_MS;
	if (!is_iso)
		return refuse(reading, "expires: must be an ISO 8601 time, as \"2027-01-01T00:00:00Z\"");
	*ret_ms = moment.ms ? moment.ms : 1; /* 0 would mean never */
	return OK;
}

/* Of the whole entry, so that a change of anything in it makes it another. */
static enum err fingerprint(const struct value *entry, uint64_t *ret_key)
{
	struct buf text;
	unsigned char digest[API_KEY_DIGEST_BYTES];
	buf_init(&text);
	json_encode(&text, entry);
	bool is_written = !buf_has_failed(&text);
	if (is_written)
		keyset_digest(buf_slice(&text), digest);
	OPENSSL_cleanse(text.bytes, text.len);
	buf_fini(&text);
	if (!is_written)
		return ERR_NOMEM;
	memcpy(ret_key, digest, sizeof *ret_key);
	*ret_key = *ret_key ? *ret_key : 1;
	return OK;
}

static enum err fill_grants(struct reading *reading, struct grants *grants)
{
	struct filter_error wrong;
	enum err error = read_expiry(reading, &grants->expires_ms);
	if (error == OK)
		error = fingerprint(reading->entry, &grants->key);
	if (error != OK)
		return error;
	error = rights_read(reading->entry, reading->served, reading->arena, grants, &wrong);
	if (error == OK || error == ERR_NOMEM)
		return error;
	return refuse(reading, "%s: %.*s", wrong.where, (int)(sizeof reading->why - sizeof wrong.where - 8),
	              wrong.message);
}

static enum err read_entry(struct reading *reading, struct api_key *ret_key)
{
	struct api_key key;
	struct slice id = SLICE_NONE;
	enum err error = check_members(reading);
	if (error == OK)
		error = read_id(reading, &id);
	if (error == OK)
		error = read_digest(reading, key.digest);
	if (error != OK)
		return error;
	key.grants = grants_new(id);
	if (!key.grants)
		return ERR_NOMEM;
	error = fill_grants(reading, key.grants);
	if (error == OK)
		*ret_key = key;
	else
		grants_unref(key.grants);
	return error;
}

static int compare_keys(const void *a, const void *b)
{
	struct slice first = {(const char *)((const struct api_key *)a)->digest, API_KEY_DIGEST_BYTES};
	struct slice second = {(const char *)((const struct api_key *)b)->digest, API_KEY_DIGEST_BYTES};
	return slice_compare(first, second);
}

static enum err sort_keys(struct keyset *keyset, char ret_why[KEYSET_WHY])
{
	struct api_key *keys = keyset->api_keys;
	if (keyset->api_key_count)
		qsort(keys, keyset->api_key_count, sizeof *keys, compare_keys);
	for (size_t i = 1; i < keyset->api_key_count; i++) {
		if (compare_keys(&keys[i - 1], &keys[i]) != 0)
			continue;
		struct slice first = keys[i - 1].grants->identity, second = keys[i].grants->identity;
		snprintf(ret_why, KEYSET_WHY, "\"%.*s\" and \"%.*s\" have the same key", shown_len(first), first.ptr,
		         shown_len(second), second.ptr);
		return ERR_INVALID;
	}
	return OK;
}

static enum err read_entries(struct reading *reading, const struct value *keys, struct keyset *keyset,
                             char ret_why[KEYSET_WHY])
{
	keyset->api_keys = calloc(keys->list.count + 1, sizeof *keyset->api_keys);
	if (!keyset->api_keys)
		return ERR_NOMEM;
	for (reading->entry = keys->list.first; reading->entry; reading->entry = reading->entry->next) {
		enum err error = read_entry(reading, &keyset->api_keys[keyset->api_key_count]);
		if (error != OK) {
			snprintf(ret_why, KEYSET_WHY, "keys[%zu]: %.*s", keyset->api_key_count, KEYSET_WHY - 40,
			         error == ERR_NOMEM ? err_name(error) : reading->why);
			return error;
		}
		keyset->api_key_count++;
	}
	return sort_keys(keyset, ret_why);
}

static enum err read_root(struct reading *reading, const struct value *root, struct keyset *keyset,
                          char ret_why[KEYSET_WHY])
{
	const struct value *keys = value_get(root, "keys");
	if (!keys || keys->kind != VALUE_ARRAY || root->list.count != 1) {
		snprintf(ret_why, KEYSET_WHY, "must be a JSON object with an array \"keys\" and nothing else");
		return ERR_INVALID;
	}
	if (keys->list.count > KEYSET_API_KEYS_MAX) {
		snprintf(ret_why, KEYSET_WHY, "keys: at most %d", KEYSET_API_KEYS_MAX);
		return ERR_LIMIT;
	}
	table_init(&reading->ids);
	enum err error = read_entries(reading, keys, keyset, ret_why);
	table_fini(&reading->ids);
	return error;
}

enum err keyset_read_api_keys(struct slice text, struct filter_patterns served, struct keyset *keyset,
                              char ret_why[KEYSET_WHY])
{
	struct arena arena;
	struct value *root = NULL;
	struct json_error json = {0, "out of memory"};
	struct reading reading = {.arena = &arena, .served = served};
	snprintf(ret_why, KEYSET_WHY, "%s", err_name(ERR_NOMEM));
	arena_init(&arena, TREE_BYTES_MAX);
	enum err error = json_decode(&arena, text, &root, &json);
	if (error == OK)
		error = read_root(&reading, root, keyset, ret_why);
	else
		snprintf(ret_why, KEYSET_WHY, "at byte %zu: %s", json.at, json.message);
	arena_wipe(&arena);
	arena_fini(&arena);
	return error;
}
