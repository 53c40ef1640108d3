#include "gateway/config/option.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PRESET_DEFAULT "development"
#define PRESET_HELP                                                                                                    \
	"(development|test|production|high-performance) Sets the defaults of all other options for a kind of use."

const struct option options[OPTIONS] = {
    [OPTION_preset] = {"preset",
                       TYPE_PRESET,
                       "",
                       "",
                       {PRESET_DEFAULT, PRESET_DEFAULT, PRESET_DEFAULT, PRESET_DEFAULT},
                       PRESET_HELP,
                       offsetof(struct config, preset)},
#define OPTION(id, type, name, low, high, dev, test, prod, perf, help)                                                 \
	[OPTION_##id] = {name, TYPE_##type, low, high, {dev, test, prod, perf}, help, offsetof(struct config, id)},
#include "gateway/config/options.def"
#undef OPTION
};

const char *const preset_names[PRESETS] = {"development", "test", "production", "high-performance"};

void option_environment_name(const char *name, char *ret_text)
{
	size_t at = 0;
	for (; name[at] && at < OPTION_NAME_MAX - 1; at++)
		ret_text[at] = name[at] == '.' ? '_' : (char)toupper((unsigned char)name[at]);
	ret_text[at] = '\0';
}

/* Writes the option's name, plain or as NAME_file, in the form of a flag and file or of the environment. */
static void write_name(const struct option *option, bool is_file, bool in_environment, char *ret_text)
{
	char dotted[OPTION_NAME_MAX] = "";
	snprintf(dotted, sizeof dotted, "%s%s", option->name, is_file ? FILE_SUFFIX : "");
	if (in_environment)
		option_environment_name(dotted, ret_text);
	else
		memcpy(ret_text, dotted, sizeof dotted);
}

static bool find(struct slice name, bool in_environment, enum option_id *ret_id, bool *ret_is_file)
{
	for (int id = 0; id < OPTIONS; id++) {
		for (int is_file = 0; is_file <= (options[id].type == TYPE_SECRET); is_file++) {
			char known[OPTION_NAME_MAX] = "";
			write_name(&options[id], is_file, in_environment, known);
			if (slice_is(name, known)) {
				*ret_id = (enum option_id)id;
				*ret_is_file = is_file;
				return true;
			}
		}
	}
	return false;
}

bool option_find(struct slice name, enum option_id *ret_id, bool *ret_is_file)
{
	return find(name, false, ret_id, ret_is_file);
}

bool option_find_environment(struct slice name, enum option_id *ret_id, bool *ret_is_file)
{
	return find(name, true, ret_id, ret_is_file);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The number of edits (insert, delete, change one byte, swap two neighbours) that make one of the other. */
static size_t edit_distance(struct slice a, const char *b)
{
	size_t b_len = strlen(b);
	size_t rows[3][OPTION_NAME_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b_len; j++)
		above[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t changed = above[j - 1] + (a.ptr[i - 1] != b[j - 1]);
			row[j] = least(changed, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a.ptr[i - 1] == b[j - 2] && a.ptr[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		size_t *oldest = before;
		before = above;
		above = row;
		row = oldest;
	}
	return above[b_len];
}

bool option_nearest(struct slice name, bool in_environment, char *ret_text)
{
	size_t nearest = SIZE_MAX;
	name.len = least(name.len, OPTION_NAME_MAX);
	for (int id = 0; id < OPTIONS; id++) {
		for (int is_file = 0; is_file <= (options[id].type == TYPE_SECRET); is_file++) {
			char known[OPTION_NAME_MAX] = "";
			write_name(&options[id], is_file, in_environment, known);
			size_t distance = edit_distance(name, known);
			if (distance < nearest) {
				nearest = distance;
				memcpy(ret_text, known, OPTION_NAME_MAX);
			}
		}
	}
	return nearest <= 1 + name.len / 3;
}

struct slice option_choices(const struct option *option)
{
	const char *from = strchr(option->help, '(') + 1;
	return (struct slice){from, strcspn(from, ")")};
}
