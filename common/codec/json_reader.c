#include "common/codec/json_grammar.h"

void json_reader_init(struct json_reader *reader, struct slice text)
{
	json_grammar_begin(reader, text);
}

bool json_reader_next(struct json_reader *reader, struct json_piece *ret_piece)
{
	return json_grammar_next(reader, ret_piece);
}

bool json_reader_value(struct json_reader *reader, const struct json_piece *first, struct slice *ret_raw)
{
	return json_grammar_finish(reader, first, ret_raw);
}

bool json_is_valid(struct slice text, enum json_kind *ret_kind, struct json_error *ret_error)
{
	struct json_reader reader;
	struct json_piece first, piece;
	json_grammar_begin(&reader, text);
	if (json_grammar_next(&reader, &first)) {
		while (json_grammar_next(&reader, &piece))
			;
	}
	if (reader.error) {
		if (ret_error)
			*ret_error = (struct json_error){(size_t)(reader.at - reader.start), reader.error};
		return false;
	}
	if (ret_kind)
		*ret_kind = first.kind;
	return true;
}

bool json_scan(struct slice text, json_member *member, void *context, enum json_kind *ret_kind)
{
	return json_scan_within(text, JSON_DEPTH_MAX, member, context, ret_kind);
}

bool json_scan_within(struct slice text, unsigned depth_max, json_member *member, void *context, enum json_kind *ret_kind)
{
	struct json_reader reader;
	struct json_piece first = {0}, key, value;
	struct slice raw;
	json_grammar_begin(&reader, text);
	reader.depth_max = depth_max;
	if (json_grammar_next(&reader, &first)) {
		while (json_grammar_next(&reader, &key)) {
			if (key.piece != JSON_PIECE_KEY || reader.depth != 1)
				continue;
			if (!json_grammar_next(&reader, &value) || !json_grammar_finish(&reader, &value, &raw))
				break;
			member(context, key.raw, raw, value.kind);
		}
	}
	if (reader.error)
		return false;
	if (ret_kind)
		*ret_kind = first.kind;
	return true;
}
