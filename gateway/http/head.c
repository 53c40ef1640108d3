#include "gateway/http/head.h"

#include <string.h>

#define LINE_END_BYTES 2 /* CR LF */

static const char why_bare_lf[] = "a line ends with a bare LF; lines end with CR LF";
static const char why_bare_cr[] = "a CR is not followed by LF";
static const char why_control[] = "a control character";
static const char why_request_line[] = "the request line is not \"METHOD target HTTP/1.1\"";

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool head_is_same_word(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (lower(a.ptr[i]) != lower(b.ptr[i]))
			return false;
	}
	return true;
}

/* A character of a token, RFC 9110 section 5.6.2. */
static bool is_token_char(char c)
{
	if ((c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!is_token_char(text.ptr[i]))
			return false;
	}
	return text.len > 0;
}

static enum head_status refuse(struct head *head, enum head_status status, const char *why)
{
	head->why = why;
	return status;
}

/* Takes the line in front of *rest. HEAD_PARTIAL: its end is not there yet; ret_line is then what there is of it. */
static enum head_status take_line(struct head *head, struct slice *rest, struct slice *ret_line)
{
	for (size_t at = 0; at < rest->len; at++) {
		char c = rest->ptr[at];
		if (c == '\n')
			return refuse(head, HEAD_BAD, why_bare_lf);
		if (c == '\r') {
			*ret_line = (struct slice){rest->ptr, at};
			if (at + 1 == rest->len)
				return HEAD_PARTIAL;
			if (rest->ptr[at + 1] != '\n')
				return refuse(head, HEAD_BAD, why_bare_cr);
			rest->ptr += at + LINE_END_BYTES;
			rest->len -= at + LINE_END_BYTES;
			return HEAD_COMPLETE;
		}
		if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f)
			return refuse(head, HEAD_BAD, why_control);
	}
	*ret_line = *rest;
	return HEAD_PARTIAL;
}

static enum head_status read_version(struct head *head, struct slice version)
{
	if (version.len != 8 || memcmp(version.ptr, "HTTP/", 5) != 0 || version.ptr[6] != '.' || version.ptr[5] < '0' ||
	    version.ptr[5] > '9' || version.ptr[7] < '0' || version.ptr[7] > '9')
		return refuse(head, HEAD_BAD, why_request_line);
	if (version.ptr[5] == '2' && slice_is(head->method, "PRI"))
		return refuse(head, HEAD_VERSION, HEAD_WHY_PREFACE);
	if (version.ptr[5] != '1' || version.ptr[7] > '1')
		return refuse(head, HEAD_VERSION, "the HTTP version is neither 1.1 nor 1.0");
	head->minor = version.ptr[7] - '0';
	return HEAD_COMPLETE;
}

/* Origin-form: a path from the root and perhaps a query, of visible ASCII characters, without a fragment. */
static enum head_status read_target(struct head *head)
{
	struct slice target = head->target;
	if (target.len == 0 || target.ptr[0] != '/')
		return refuse(head, HEAD_BAD, "the target is not a path that starts with \"/\"");
	for (size_t i = 0; i < target.len; i++) {
		if ((unsigned char)target.ptr[i] <= ' ' || (unsigned char)target.ptr[i] >= 0x7f || target.ptr[i] == '#')
			return refuse(head, HEAD_BAD, "the target holds a character that must be percent-encoded");
	}
	const char *mark = memchr(target.ptr, '?', target.len);
	size_t path_len = mark ? (size_t)(mark - target.ptr) : target.len;
	head->path = (struct slice){target.ptr, path_len};
	head->query = mark ? (struct slice){mark + 1, target.len - path_len - 1} : SLICE_NONE;
	return HEAD_COMPLETE;
}

static enum head_status read_request_line(struct head *head, struct slice line)
{
	const char *end = line.ptr + line.len;
	const char *first = line.len ? memchr(line.ptr, ' ', line.len) : NULL;
	const char *second = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;
	if (!second)
		return refuse(head, HEAD_BAD, why_request_line);
	head->method = (struct slice){line.ptr, (size_t)(first - line.ptr)};
	head->target = (struct slice){first + 1, (size_t)(second - first - 1)};
	if (!is_token(head->method))
		return refuse(head, HEAD_BAD, why_request_line);
	if (head->target.len > HEAD_TARGET_MAX)
		return refuse(head, HEAD_TARGET_TOO_LONG, "the target is too long");
	enum head_status status = read_version(head, (struct slice){second + 1, (size_t)(end - second - 1)});
	return status == HEAD_COMPLETE ? read_target(head) : status;
}

/* What can be said of a request line before its end has come. */
static enum head_status judge_partial_request_line(struct head *head, struct slice line)
{
	size_t method_len = 0;
	while (method_len < line.len && line.ptr[method_len] != ' ')
		method_len++;
	if (method_len && !is_token((struct slice){line.ptr, method_len}))
		return refuse(head, HEAD_BAD, why_request_line);
	if (line.len > method_len + HEAD_TARGET_MAX + sizeof "  HTTP/1.1")
		return refuse(head, HEAD_TARGET_TOO_LONG, "the target is too long");
	return HEAD_PARTIAL;
}

static enum head_status read_field(struct head *head, struct slice line)
{
	if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
		return refuse(head, HEAD_BAD, "a header field is folded over lines");
	const char *colon = memchr(line.ptr, ':', line.len);
	if (!colon)
		return refuse(head, HEAD_BAD, "a header field without a colon");
	struct slice name = {line.ptr, (size_t)(colon - line.ptr)};
	if (!is_token(name))
		return refuse(head, HEAD_BAD, "the name of a header field is not a token");
	if (head->field_count == HEAD_FIELDS_MAX)
		return refuse(head, HEAD_TOO_MANY_FIELDS, "too many header fields");
	head->fields[head->field_count++] =
	    (struct head_field){name, slice_trim((struct slice){colon + 1, line.len - name.len - 1})};
	return HEAD_COMPLETE;
}

/* The room for fields stays as it is: it is long, and field_count says what of it counts. */
static void clear(struct head *head)
{
	head->method = head->target = head->path = head->query = SLICE_NONE;
	head->minor = 0;
	head->field_count = head->len = 0;
	head->why = NULL;
}

/* Takes the lines up to the empty one. */
static enum head_status read_fields(struct head *head, struct slice *rest)
{
	enum head_status status = HEAD_COMPLETE;
	while (status == HEAD_COMPLETE) {
		struct slice line;
		status = take_line(head, rest, &line);
		if (status == HEAD_COMPLETE && line.len == 0)
			return HEAD_COMPLETE;
		if (status == HEAD_COMPLETE)
			status = read_field(head, line);
	}
	return status;
}

enum head_status head_read(struct slice bytes, struct head *ret_head)
{
	struct slice rest = bytes, line = SLICE_NONE;
	clear(ret_head);
	enum head_status status = take_line(ret_head, &rest, &line);
	if (status == HEAD_PARTIAL)
		return judge_partial_request_line(ret_head, line);
	if (status == HEAD_COMPLETE)
		status = read_request_line(ret_head, line);
	if (status == HEAD_COMPLETE)
		status = read_fields(ret_head, &rest);
	if (status == HEAD_COMPLETE)
		ret_head->len = bytes.len - rest.len;
	return status;
}

void head_read_fields(struct slice bytes, struct head *ret_head)
{
	const char *end = bytes.len ? memchr(bytes.ptr, '\n', bytes.len) : NULL;
	clear(ret_head);
	if (!end)
		return;
	struct slice rest = {end + 1, (size_t)(bytes.ptr + bytes.len - end - 1)};
	enum head_status status = read_fields(ret_head, &rest);
	(void)status; /* what could be read counts, whatever follows */
}

bool head_get(const struct head *head, const char *name, struct slice *ret_value, size_t *ret_count)
{
	const struct head_field *found = NULL;
	size_t count = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		if (head_is_same_word(head->fields[i].name, slice_of(name))) {
			found = &head->fields[i];
			count++;
		}
	}
	if (ret_count)
		*ret_count = count;
	if (count != 1)
		return false;
	*ret_value = found->value;
	return true;
}

bool head_next_element(struct slice *list, struct slice *ret_element)
{
	while (list->len) {
		const char *comma = memchr(list->ptr, ',', list->len);
		size_t len = comma ? (size_t)(comma - list->ptr) : list->len;
		struct slice element = slice_trim((struct slice){list->ptr, len});
		size_t used = len + (comma != NULL);
		list->ptr += used;
		list->len -= used;
		if (element.len) {
			*ret_element = element;
			return true;
		}
	}
	return false;
}

bool head_lists(const struct head *head, const char *name, const char *token)
{
	for (size_t i = 0; i < head->field_count; i++) {
		struct slice list = head->fields[i].value, element;
		if (!head_is_same_word(head->fields[i].name, slice_of(name)))
			continue;
		while (head_next_element(&list, &element)) {
			if (head_is_same_word(element, slice_of(token)))
				return true;
		}
	}
	return false;
}
