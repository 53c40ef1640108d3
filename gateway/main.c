/* tracegate: streams what agents PUBLISH in Redis to everyone who watches. */
#include <stdio.h>

#include "common/data/buf.h"
#include "gateway/app/app.h"
#include "gateway/app/inspection.h"
#include "gateway/config/config.h"
#include "gateway/metrics/node.h"
#include "gateway/redis/logscript.h"

#define EXIT_CONFIG 2

extern char **environ;

static void print(FILE *stream, const struct buf *text)
{
	fwrite(text->bytes, 1, text->len, stream);
}

/* What the command line asked for; all but running is printing. */
static int act(enum config_action action, const struct config *config, struct buf *text)
{
	switch (action) {
	case CONFIG_HELP:
		config_write_help(text);
		break;
	case CONFIG_VERSION:
		buf_append_text(text, "tracegate " TRACEGATE_VERSION "\n");
		break;
	case CONFIG_PRINT:
		config_write_file(text, config);
		break;
	case CONFIG_CHECK:
		return inspection_run(config) ? 0 : EXIT_CONFIG;
	case CONFIG_PRINT_SCRIPT:
		buf_append_text(text, logscript_source);
		break;
	case CONFIG_RUN:
		return app_run(config);
	}
	print(stdout, text);
	return 0;
}

int main(int argc, char **argv)
{
	app_block_signals();
	struct config *config = NULL;
	enum config_action action = CONFIG_RUN;
	struct buf text;
	buf_init(&text);
	int status = EXIT_CONFIG;
	enum err error = config_load(argc, argv, environ, &config, &action, &text);
	config_hide_secrets(argc, argv, environ);
	if (error == OK)
		status = act(action, config, &text);
	else
		print(stderr, &text);
	config_free(config);
	buf_fini(&text);
	return status;
}
