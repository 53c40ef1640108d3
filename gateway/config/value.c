#include "gateway/config/value.h"

#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit count_units[] = {{"", 1}, {NULL, 0}};
static const struct unit size_units[] = {{"", 1},         {"k", 1U << 10}, {"m", 1U << 20}, {"g", 1U << 30},
                                         {"K", 1U << 10}, {"M", 1U << 20}, {"G", 1U << 30}, {NULL, 0}};
static const struct unit duration_units[] = {{"ns", 1},
                                             {"us", UINT64_C(1000)},
                                             {"ms", UINT64_C(1000000)},
                                             {"s", UINT64_C(1000000000)},
                                             {"m", UINT64_C(60000000000)},
                                             {"h", UINT64_C(3600000000000)},
                                             {NULL, 0}};

static const struct {
	const char *text;
	bool value;
} booleans[] = {{"yes", true}, {"true", true}, {"on", true}, {"no", false}, {"false", false}, {"off", false}};

/* Digits and a unit, nothing else. A zero needs no unit. */
static bool read_number(const char *text, const struct unit *units, uint64_t *ret_number)
{
	uint64_t number = 0;
	const char *at = text;
	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');
		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (at == text)
		return false;
	if (number == 0 && *at == '\0') {
		*ret_number = 0;
		return true;
	}
	for (; units->name; units++) {
		if (strcmp(at, units->name) == 0 && number <= UINT64_MAX / units->factor) {
			*ret_number = number * units->factor;
			return true;
		}
	}
	return false;
}

static const struct unit *units_of(enum option_type type)
{
	return type == TYPE_DURATION ? duration_units : type == TYPE_SIZE ? size_units : count_units;
}

static bool is_within(const struct option *option, uint64_t number)
{
	const struct unit *units = units_of(option->type);
	uint64_t bound;
	if (number == 0 && strstr(option->help, "0: no limit"))
		return true;
	if (read_number(option->low, units, &bound) && number < bound)
		return false;
	return !(read_number(option->high, units, &bound) && number > bound);
}

static enum err store_number(const struct option *option, const char *text, uint64_t *field, char ret_why[WHY_BYTES])
{
	uint64_t number;
	if (read_number(text, units_of(option->type), &number) && is_within(option, number)) {
		*field = number;
		return OK;
	}
	const char *noun = option->type == TYPE_DURATION ? "duration" : option->type == TYPE_SIZE ? "size" : "number";
	const char *example = option->type == TYPE_DURATION ? " (like 250ms, 10s or 2m)"
	                      : option->type == TYPE_SIZE   ? " (like 4096, 64k or 1m)"
	                                                    : "";
	snprintf(ret_why, WHY_BYTES, "is not a %s from %s to %s%s", noun, option->low, option->high, example);
	return ERR_INVALID;
}

static bool read_boolean(const char *text, bool *ret_value)
{
	for (size_t i = 0; i < sizeof booleans / sizeof booleans[0]; i++) {
		if (strcmp(text, booleans[i].text) == 0) {
			*ret_value = booleans[i].value;
			return true;
		}
	}
	return false;
}

static enum err store_boolean(const char *text, bool *field, char ret_why[WHY_BYTES])
{
	if (read_boolean(text, field))
		return OK;
	snprintf(ret_why, WHY_BYTES, "is not yes or no (or true, false, on, off)");
	return ERR_INVALID;
}

static bool is_choice(struct slice choices, const char *text)
{
	while (choices.len) {
		const char *bar = memchr(choices.ptr, '|', choices.len);
		size_t len = bar ? (size_t)(bar - choices.ptr) : choices.len;
		if (slice_is((struct slice){choices.ptr, len}, text))
			return true;
		choices.ptr += len + (bar != NULL);
		choices.len -= len + (bar != NULL);
	}
	return false;
}

static enum err check_choice(const struct option *option, const char *text, char ret_why[WHY_BYTES])
{
	struct slice choices = option_choices(option);
	if (is_choice(choices, text))
		return OK;
	snprintf(ret_why, WHY_BYTES, "is not one of %.*s", (int)choices.len, choices.ptr);
	return ERR_INVALID;
}

static void store_preset(const char *text, enum config_preset *field)
{
	for (int i = 0; i < PRESETS; i++) {
		if (strcmp(text, preset_names[i]) == 0)
			*field = (enum config_preset)i;
	}
}

static enum err store_text(const char *text, struct arena *arena, const char **field, char ret_why[WHY_BYTES])
{
	const char *copy = arena_copy(arena, text, strlen(text));
	if (!copy) {
		snprintf(ret_why, WHY_BYTES, "is too long");
		return ERR_NOMEM;
	}
	*field = copy;
	return OK;
}

static struct slice trim(const char *from, const char *end)
{
	while (from < end && *from == ' ')
		from++;
	while (end > from && end[-1] == ' ')
		end--;
	return (struct slice){from, (size_t)(end - from)};
}

static enum err store_list(const char *text, struct arena *arena, struct config_list *field, char ret_why[WHY_BYTES])
{
	size_t count = *text != '\0';
	for (const char *at = text; *at; at++)
		count += *at == ',';
	struct slice *items = arena_alloc(arena, (count + 1) * sizeof *items);
	if (!items) {
		snprintf(ret_why, WHY_BYTES, "is too long");
		return ERR_NOMEM;
	}
	const char *at = text;
	for (size_t i = 0; i < count; i++) {
		const char *end = at + strcspn(at, ",");
		struct slice item = trim(at, end);
		const char *copy = arena_copy(arena, item.ptr, item.len);
		if (item.len == 0 || !copy) {
			snprintf(ret_why, WHY_BYTES, "is not a list of words with one comma between two");
			return item.len == 0 ? ERR_INVALID : ERR_NOMEM;
		}
		items[i] = (struct slice){copy, item.len};
		at = end + 1;
	}
	*field = (struct config_list){items, count};
	return OK;
}

enum err value_store(const struct option *option, const char *text, struct arena *arena, struct config *config,
                     char ret_why[WHY_BYTES])
{
	void *field = (char *)config + option->offset;
	enum err error;
	switch (option->type) {
	case TYPE_BOOL:
		return store_boolean(text, field, ret_why);
	case TYPE_COUNT:
	case TYPE_DURATION:
	case TYPE_SIZE:
		return store_number(option, text, field, ret_why);
	case TYPE_LIST:
		return store_list(text, arena, field, ret_why);
	case TYPE_PRESET:
		error = check_choice(option, text, ret_why);
		if (error == OK)
			store_preset(text, field);
		return error;
	case TYPE_ENUM:
		error = check_choice(option, text, ret_why);
		return error == OK ? store_text(text, arena, field, ret_why) : error;
	case TYPE_TEXT:
	case TYPE_SECRET:
		return store_text(text, arena, field, ret_why);
	}
	return ERR_INVALID;
}
