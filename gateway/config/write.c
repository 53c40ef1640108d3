#include <stdio.h>
#include <string.h>

#include "gateway/config/load.h"

#define COLUMNS 100
#define HELP_INDENT 6

static const char *const type_words[] = {"PRESET", "yes|no", "NUMBER", "DURATION", "SIZE",
                                         "TEXT",   "SECRET", "CHOICE", "A,B,..."};

/* The length of what stands before the dot; 0 for options without one. */
static size_t group_len(const struct option *option)
{
	const char *dot = strchr(option->name, '.');
	return dot ? (size_t)(dot - option->name) : 0;
}

static bool begins_group(int id)
{
	size_t len = group_len(&options[id]);
	return id == 0 || len != group_len(&options[id - 1]) ||
	       strncmp(options[id].name, options[id - 1].name, len) != 0;
}

static bool has_one_default(const struct option *option)
{
	for (int i = 1; i < PRESETS; i++) {
		if (strcmp(option->defaults[i], option->defaults[0]) != 0)
			return false;
	}
	return true;
}

/* Appends words, breaking lines before COLUMNS. */
static void write_wrapped(struct buf *out, const char *text)
{
	size_t column = 0;
	while (*text) {
		size_t len = strcspn(text, " ");
		if (column == 0 || column + 1 + len > COLUMNS) {
			buf_printf(out, "%s%*s", column ? "\n" : "", HELP_INDENT, "");
			column = HELP_INDENT;
		} else {
			buf_append_char(out, ' ');
			column++;
		}
		buf_append(out, text, len);
		column += len;
		text += len + strspn(text + len, " ");
	}
	buf_append_char(out, '\n');
}

static const char *show_default(const char *text)
{
	return *text ? text : "(empty)";
}

static void describe_defaults(struct buf *out, const struct option *option)
{
	if (option->type == TYPE_PRESET || has_one_default(option)) {
		buf_printf(out, "Default: %s.", show_default(option->defaults[0]));
		return;
	}
	buf_append_text(out, "Default:");
	for (int i = 0; i < PRESETS; i++)
		buf_printf(out, "%s %s in %s", i ? "," : "", show_default(option->defaults[i]), preset_names[i]);
	buf_append_char(out, '.');
}

static void write_option_help(struct buf *out, const struct option *option)
{
	struct buf text;
	buf_init(&text);
	buf_append_text(&text, option->help);
	if (*option->low || *option->high)
		buf_printf(&text, " From %s to %s.", option->low, option->high);
	buf_append_char(&text, ' ');
	describe_defaults(&text, option);
	buf_append_char(&text, '\0');
	buf_printf(out, "  --%s %s\n", option->name, type_words[option->type]);
	if (buf_has_failed(&text))
		out->failed = true;
	else
		write_wrapped(out, text.bytes);
	buf_fini(&text);
}

void config_write_help(struct buf *out)
{
	buf_append_text(
	    out, "tracegate streams what is PUBLISHed in Redis to WebSocket clients.\n\n"
	         "Usage: tracegate [--config FILE] [--OPTION VALUE | --OPTION=VALUE]...\n\n"
	         "Every option can also stand in the file ([redis] url = ...) and in the environment\n"
	         "(TRACEGATE_REDIS_URL). Flags go before the environment, it before the file, it before the preset.\n\n"
	         "  --config FILE     an INI file with options (TRACEGATE_CONFIG)\n"
	         "  --check-config    say whether the configuration is valid, and end\n"
	         "  --print-config    print it as a file, and end\n"
	         "  --print-script    print the script by which publishers store events in Redis themselves, and end\n"
	         "  --help, -h        print this, and end\n"
	         "  --version         print the version, and end\n");
	for (int id = 0; id < OPTIONS; id++) {
		size_t len = group_len(&options[id]);
		if (begins_group(id) && len)
			buf_printf(out, "\n%.*s\n", (int)len, options[id].name);
		else if (begins_group(id))
			buf_append_char(out, '\n');
		write_option_help(out, &options[id]);
		if (options[id].type == TYPE_SECRET)
			buf_printf(out, "  --%s" FILE_SUFFIX " FILE\n%*sA file that holds it.\n", options[id].name,
			           HELP_INDENT, "");
	}
}

static void write_setting(struct buf *out, const struct config *config, int id)
{
	const struct setting *setting = &config->memory->settings[id];
	size_t len = group_len(&options[id]);
	const char *name = options[id].name + (len ? len + 1 : 0);
	if (setting->path)
		buf_printf(out, "%s" FILE_SUFFIX " = %s\n", name, setting->path);
	else if (options[id].type == TYPE_SECRET && setting->source != SOURCE_DEFAULT)
		buf_printf(out, "%s = " SECRET_SHOWN "\n", name);
	else
		buf_printf(out, "%s =%s%s\n", name, *setting->text ? " " : "", setting->text);
}

/* Options without a section come first in the table: in a file nothing ends a section but another one. */
void config_write_file(struct buf *out, const struct config *config)
{
	for (int id = 0; id < OPTIONS; id++) {
		size_t len = group_len(&options[id]);
		if (begins_group(id) && len)
			buf_printf(out, "\n[%.*s]\n", (int)len, options[id].name);
		write_setting(out, config, id);
	}
}

static const char reference_head[] =
    "# Configuration\n\n"
    "Every option has one name and four places, each going before the next: a flag (`--redis.url VALUE` or\n"
    "`--redis.url=VALUE`), the environment (`TRACEGATE_REDIS_URL`), the file (`[redis]` with `url = ...`), the default "
    "of the\n"
    "preset. The file is named by `--config FILE` or `TRACEGATE_CONFIG`; options without a dot stand in it before the "
    "first\n"
    "section. A wrong value, an unknown option, a flag, line or `TRACEGATE_` variable that is none: the node does not "
    "start, and\n"
    "says in one run all that is wrong, what is allowed and where it came from.\n\n"
    "`--check-config` only checks, `--print-config` prints what a node makes of it as a file that gives the same "
    "(secrets as\n"
    "`***`), `--help` prints what this page says. This page is made from `gateway/config/options.def` (`cmake --build "
    "<folder>\n"
    "--target docs`).\n\n"
    "- A **duration** is a whole number with `ns`, `us`, `ms`, `s`, `m` or `h`; a **size** one with `k`, `m`, `g` (of "
    "1024) or\n"
    "  nothing; a **list** is separated by commas; a switch is `yes` or `no` (or `true`, `false`, `on`, `off`).\n"
    "- A **secret** is shown nowhere. `NAME_file` (`redis.url_file`, `TRACEGATE_REDIS_URL_FILE`) names a file that "
    "holds it; its\n"
    "  last newline does not count, and it must not be empty.\n"
    "- A value cannot begin or end with a space, nor hold a control character or a `;` behind a space: a file could "
    "not say it.\n"
    "- In a file, a line that begins with `#` or `;` is a comment, and so is what stands behind a space and a `;`. A `#` "
    "further\n"
    "  on in a line is part of the value.\n"
    "- Variables that Kubernetes sets for a Service named tracegate (`TRACEGATE_SERVICE_HOST`, `TRACEGATE_PORT_...`) "
    "are passed "
    "over.\n";

static const char *const type_names[] = {"preset", "switch", "number", "duration", "size",
                                         "text",   "secret", "choice", "list"};

static void write_code(struct buf *out, const char *text)
{
	if (*text)
		buf_printf(out, "`%s`", text);
	else
		buf_append_text(out, "empty");
}

static void write_reference_row(struct buf *out, const struct option *option)
{
	buf_printf(out, "\n### %s\n\n", option->name);
	for (const char *at = option->help; *at; at++) /* angle brackets would be taken for HTML */
		buf_append_text(out, *at == '<' ? "&lt;" : *at == '>' ? "&gt;" : (const char[]){*at, '\0'});
	buf_printf(out, "\n\nA %s", type_names[option->type]);
	if (*option->low || *option->high)
		buf_printf(out, " from `%s` to `%s`", option->low, option->high);
	buf_append_text(out, ". Default: ");
	write_code(out, option->defaults[0]);
	for (int i = 1; i < PRESETS && !has_one_default(option); i++) {
		buf_printf(out, "%s %s ", i == 1 ? " in development," : ",", preset_names[i]);
		write_code(out, option->defaults[i]);
	}
	buf_append_text(out, ".\n");
}

void config_write_reference(struct buf *out)
{
	buf_append_text(out, reference_head);
	for (int id = 0; id < OPTIONS; id++) {
		size_t len = group_len(&options[id]);
		if (begins_group(id) && len)
			buf_printf(out, "\n## %.*s\n", (int)len, options[id].name);
		else if (begins_group(id))
			buf_append_text(out, "\n## general\n");
		write_reference_row(out, &options[id]);
	}
}
