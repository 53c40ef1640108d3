/* A configuration while it is being put together: what each source set and every mistake found so far. The sources call
 * load_set in the order of their rank; the checks look at the result. Private to the room. */
#ifndef GATEWAY_CONFIG_LOAD_H
#define GATEWAY_CONFIG_LOAD_H

#include "common/base/arena.h"
#include "gateway/config/option.h"

enum source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

#define ORIGIN_FLAG "command line"
#define SECRET_SHOWN "***" /* what --print-config writes for a secret */

/* The winning text of an option, of which config_write_file makes a file again. All of it lives in the arena. */
struct setting {
	const char *text;
	const char *path;   /* of the file that the text of a secret was read from; NULL: not from a file */
	const char *origin; /* "tracegate.ini:3" */
	enum source source;
	bool is_wrong; /* a mistake was found in it already */
};

struct config_memory {
	struct arena arena;
	struct setting settings[OPTIONS];
};

struct load {
	struct config *config;
	struct config_memory *memory;
	struct buf *mistakes; /* one line each */
};

/* name is as the source spells it, for mistakes: "--workers". origin is copied. */
struct assignment {
	enum option_id id;
	bool is_file;
	enum source source;
	const char *name, *value, *origin;
};

void load_set(struct load *load, const struct assignment *assignment);
void load_defaults(struct load *load); /* last: of the preset, for what no source set */

/* Adds a mistake: "<name>: <text> (<origin>)". */
void load_mistake(struct load *load, const char *name, const char *origin, const char *format, ...) PRINTF_LIKE(4, 5);
/* The same for an unknown name, with the nearest known one. */
void load_unknown(struct load *load, const char *prefix, struct slice name, bool in_environment, const char *origin);
/* In quotes, escaped and cut, so that it stays on one line. ret_text: VALUE_SHOWN_BYTES. */
#define VALUE_SHOWN_BYTES 128
const char *load_show(const char *value, char ret_text[VALUE_SHOWN_BYTES]);

/* The whole of a file as text with a NUL behind, in the arena. On failure ret_why. */
enum err load_read_file(struct load *load, const char *path, struct slice *ret_text, char *ret_why,
                        size_t why_size) MUST_USE;

void source_file(struct load *load, const char *path);
void source_environment(struct load *load, char *const *environment);
void source_flags(struct load *load, int argc, char *const *argv, enum config_action *ret_action);
/* The file to read, from --config or TRACEGATE_CONFIG; NULL: none. */
const char *source_find_path(int argc, char *const *argv, char *const *environment);

void check_all(struct load *load);
void check_keys(struct load *load); /* whether a node that is to know its clients can; of a node that is to run */

#endif
