/* Prints a page of docs/ that is made from a table: reference configuration|metrics. */
#include <stdio.h>
#include <string.h>

#include "gateway/config/config.h"
#include "gateway/metrics/metrics_table.h"

int main(int argc, char **argv)
{
	struct buf page;
	buf_init(&page);
	if (argc == 2 && strcmp(argv[1], "configuration") == 0)
		config_write_reference(&page);
	else if (argc == 2 && strcmp(argv[1], "metrics") == 0)
		metrics_write_reference(&page);
	else
		fprintf(stderr, "usage: reference configuration|metrics\n");
	bool is_written = page.len && !buf_has_failed(&page) && fwrite(page.bytes, 1, page.len, stdout) == page.len;
	buf_fini(&page);
	return is_written ? 0 : 1;
}
