#include "gateway/http/head_text.h"

#include <string.h>

void head_text_init(struct head_text *text)
{
	*text = (struct head_text){.has_authority = false};
	buf_init(&text->fields);
	buf_init(&text->method);
	buf_init(&text->path);
	buf_init(&text->authority);
}

void head_text_fini(struct head_text *text)
{
	buf_fini(&text->fields);
	buf_fini(&text->method);
	buf_fini(&text->path);
	buf_fini(&text->authority);
}

/* A space would end a method or a target, a line's end any field. */
static bool has_any(struct slice bytes, const char *wanted, size_t count)
{
	for (size_t i = 0; i < bytes.len; i++) {
		if (memchr(wanted, bytes.ptr[i], count))
			return true;
	}
	return false;
}

static void set_word(struct head_text *text, struct buf *word, struct slice value)
{
	text->is_bad |= word->len > 0 || value.len == 0 || has_any(value, " \r\n\0", 4);
	buf_clear(word);
	buf_append_slice(word, value);
}

static void add_line(struct head_text *text, struct slice name, struct slice value)
{
	text->is_bad |= name.len == 0 || has_any(name, ": \r\n\0", 5) || has_any(value, "\r\n\0", 3);
	buf_append_slice(&text->fields, name);
	buf_append_text(&text->fields, ": ");
	buf_append_slice(&text->fields, value);
	buf_append_text(&text->fields, "\r\n");
}

void head_text_add(struct head_text *text, struct slice name, struct slice value)
{
	if (slice_is(name, ":method")) {
		set_word(text, &text->method, value);
	} else if (slice_is(name, ":path")) {
		set_word(text, &text->path, value);
	} else if (slice_is(name, ":authority")) {
		set_word(text, &text->authority, value);
		text->has_authority = true;
	} else if (name.len && name.ptr[0] == ':') {
		text->is_bad |= !slice_is(name, ":scheme");
	} else if (!slice_is(name, "host") || !text->has_authority) { /* :authority stands for it: RFC 9113 section 8.3.1 */
		add_line(text, name, value);
	}
}

bool head_text_write(const struct head_text *text, struct buf *out)
{
	const struct buf *parts[] = {&text->fields, &text->method, &text->path, &text->authority};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (buf_has_failed(parts[i]))
			return false;
	}
	if (text->is_bad || !text->method.len || !text->path.len)
		return false;
	buf_append_slice(out, buf_slice(&text->method));
	buf_append_char(out, ' ');
	buf_append_slice(out, buf_slice(&text->path));
	buf_append_text(out, " HTTP/1.1\r\n");
	if (text->has_authority) {
		buf_append_text(out, "Host: ");
		buf_append_slice(out, buf_slice(&text->authority));
		buf_append_text(out, "\r\n");
	}
	buf_append_slice(out, buf_slice(&text->fields));
	buf_append_text(out, "\r\n");
	return !buf_has_failed(out);
}
