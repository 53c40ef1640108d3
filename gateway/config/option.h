/* The table of options.def in a form to walk over, and the names that an option goes by. Private to the room. */
#ifndef GATEWAY_CONFIG_OPTION_H
#define GATEWAY_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/slice.h"
#include "common/data/buf.h"
#include "gateway/config/config.h"

#define PRESETS 4
#define OPTION_NAME_MAX 64 /* bytes of the longest name in any form, NUL included */

enum option_type {
	TYPE_PRESET,
	TYPE_BOOL,
	TYPE_COUNT,
	TYPE_DURATION,
	TYPE_SIZE,
	TYPE_TEXT,
	TYPE_SECRET,
	TYPE_ENUM,
	TYPE_LIST
};

/* The preset is the first option: it has no default per preset but sets the others'. */
enum option_id {
	OPTION_preset,
#define OPTION(id, type, name, low, high, dev, test, prod, perf, help) OPTION_##id,
#include "gateway/config/options.def"
#undef OPTION
	OPTIONS
};

struct option {
	const char *name;
	enum option_type type;
	const char *low, *high;        /* "" where there is no bound */
	const char *defaults[PRESETS]; /* by enum config_preset */
	const char *help;
	size_t offset; /* in struct config */
};

extern const struct option options[OPTIONS];
extern const char *const preset_names[PRESETS];

#define FILE_SUFFIX "_file" /* NAME_file of a secret names the file that holds it */
#define ENVIRONMENT_PREFIX "TRACEGATE_"

/* Finds an option by its dotted name. ret_is_file: the name is NAME_file of a secret. False: no such option. */
bool option_find(struct slice name, enum option_id *ret_id, bool *ret_is_file);
/* The same by the environment's name, without its prefix. */
bool option_find_environment(struct slice name, enum option_id *ret_id, bool *ret_is_file);

/* redis.url -> REDIS_URL; text needs OPTION_NAME_MAX bytes. */
void option_environment_name(const char *name, char *ret_text);

/* The known name with the smallest edit distance, in ret_text (OPTION_NAME_MAX bytes); false when none is near. */
bool option_nearest(struct slice name, bool in_environment, char *ret_text);

/* What an ENUM allows: the "a|b" in the parentheses that its help begins with. */
struct slice option_choices(const struct option *option);

#endif
