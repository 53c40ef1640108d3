#include "gateway/http/deflate_offer.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/codec/deflate.h"

#define WINDOW_BITS_MIN 8 /* that a parameter may say */
#define VALUE_MAX 8       /* characters of a value; longer ones are wrong whatever they are */

/* RFC 9110 section 5.6.2. */
static bool is_token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip(struct slice *text, size_t count)
{
	*text = (struct slice){text->ptr + count, text->len - count};
}

static void skip_blanks(struct slice *text)
{
	while (text->len && is_blank(text->ptr[0]))
		skip(text, 1);
}

static bool take_char(struct slice *text, char c)
{
	skip_blanks(text);
	if (!text->len || text->ptr[0] != c)
		return false;
	skip(text, 1);
	return true;
}

/* False: there is none. */
static bool take_token(struct slice *text, struct slice *ret_token)
{
	skip_blanks(text);
	size_t len = 0;
	while (len < text->len && is_token_char(text->ptr[len]))
		len++;
	*ret_token = (struct slice){text->ptr, len};
	skip(text, len);
	return len > 0;
}

/* A token, or one in quotes, with or without backslashes (RFC 6455 section 9.1); its first VALUE_MAX characters. */
static bool take_value(struct slice *text, char value[VALUE_MAX + 1])
{
	size_t len = 0;
	struct slice token;
	if (take_token(text, &token)) {
		snprintf(value, VALUE_MAX + 1, "%.*s", (int)(token.len < VALUE_MAX ? token.len : VALUE_MAX), token.ptr);
		return true;
	}
	if (!take_char(text, '"'))
		return false;
	while (text->len && text->ptr[0] != '"') {
		if (text->ptr[0] == '\\')
			skip(text, 1);
		if (!text->len || !is_token_char(text->ptr[0]))
			return false;
		if (len < VALUE_MAX)
			value[len++] = text->ptr[0];
		skip(text, 1);
	}
	value[len] = '\0';
	return len > 0 && take_char(text, '"');
}

/* What an offer asks for. */
struct offer {
	bool has_server_takeover, has_client_takeover, has_client_bits; /* named: nothing may be named twice */
	unsigned server_bits;                                           /* 0: not named */
};

/* 8 to 15, without a zero in front; 0: it is none. */
static unsigned read_bits(const char *value)
{
	size_t len = strlen(value);
	if ((len != 1 && len != 2) || value[0] < '1' || value[0] > '9' || (len == 2 && (value[1] < '0' || value[1] > '9')))
		return 0;
	unsigned bits = (unsigned)(value[0] - '0');
	if (len == 2)
		bits = bits * 10 + (unsigned)(value[1] - '0');
	return bits >= WINDOW_BITS_MIN && bits <= DEFLATE_BITS_MAX ? bits : 0;
}

static bool note_once(bool *noted)
{
	bool is_first = !*noted;
	*noted = true;
	return is_first;
}

/* value: NULL where there is none. False: the offer cannot be met. */
static bool note(struct offer *offer, struct slice name, const char *value)
{
	if (slice_is(name, "server_no_context_takeover"))
		return !value && note_once(&offer->has_server_takeover);
	if (slice_is(name, "client_no_context_takeover"))
		return !value && note_once(&offer->has_client_takeover);
	if (slice_is(name, "client_max_window_bits"))
		return (!value || read_bits(value)) && note_once(&offer->has_client_bits);
	if (!slice_is(name, "server_max_window_bits") || !value || offer->server_bits)
		return false;
	offer->server_bits = read_bits(value);
	return offer->server_bits >= DEFLATE_BITS_MIN;
}

/* Reads one element of the list up to its comma, or as far as it is one. */
static bool read_offer(struct slice *text, struct offer *ret_offer)
{
	struct slice name;
	bool is_good = take_token(text, &name) && slice_is(name, "permessage-deflate");
	*ret_offer = (struct offer){0};
	while (take_char(text, ';')) {
		char value[VALUE_MAX + 1];
		if (!take_token(text, &name))
			return false;
		bool has_value = take_char(text, '=');
		if (has_value && !take_value(text, value))
			return false;
		is_good = is_good && note(ret_offer, name, has_value ? value : NULL);
	}
	skip_blanks(text);
	return is_good && (!text->len || text->ptr[0] == ',');
}

/* A comma in quotes ends nothing. */
static void skip_element(struct slice *text)
{
	bool is_quoted = false;
	while (text->len && (is_quoted || text->ptr[0] != ',')) {
		if (text->ptr[0] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && text->ptr[0] == '\\' && text->len > 1)
			skip(text, 1);
		skip(text, 1);
	}
	if (text->len)
		skip(text, 1);
}

static struct deflate_terms terms_of(const struct offer *offer)
{
	struct deflate_terms terms = {.server_bits = offer->server_bits ? offer->server_bits : DEFLATE_BITS_MAX};
	int len = snprintf(terms.parameters, sizeof terms.parameters, "server_no_context_takeover; client_no_context_takeover");
	if (offer->server_bits)
		snprintf(terms.parameters + len, sizeof terms.parameters - (size_t)len, "; server_max_window_bits=%u",
			 offer->server_bits);
	return terms;
}

struct deflate_terms deflate_offer_choose(const struct head *head)
{
	for (size_t i = 0; i < head->field_count; i++) {
		struct slice list = head->fields[i].value, element;
		if (!head_is_same_word(head->fields[i].name, SLICE_LITERAL("Sec-WebSocket-Extensions")))
			continue;
		while (list.len) {
			struct offer offer;
			element = list;
			if (read_offer(&element, &offer))
				return terms_of(&offer);
			skip_element(&list);
		}
	}
	return (struct deflate_terms){0};
}
