/* A time of a request. What is refused says why; what is taken lies in order, and a cursor or a number is written back
 * and read again as the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/protocol/log.h"

#define NOW_MS UINT64_C(1764031200123)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static size_t write_again(char out[CURSOR_TEXT], const struct moment *moment)
{
	if (moment->kind == MOMENT_MS)
		return (size_t)snprintf(out, CURSOR_TEXT, "%llu", (unsigned long long)moment->ms);
	if (moment->cursor.has_epoch)
		return cursor_write(out, moment->cursor.id, (uint64_t)moment->cursor.epoch << 32);
	return record_id_write(out, moment->cursor.id);
}

static void check_again(const struct moment *moment)
{
	char text[CURSOR_TEXT], why[128];
	struct moment again;
	struct slice written = {text, write_again(text, moment)};
	check(moment_parse_text(written, NOW_MS, &again, why) == OK);
	check(again.kind == moment->kind && again.ms == moment->ms);
	check(record_id_compare(again.cursor.id, moment->cursor.id) == 0);
	check(again.cursor.has_epoch == moment->cursor.has_epoch && again.cursor.epoch == moment->cursor.epoch);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct record_id last = {NOW_MS, 5};
	struct slice text = {(const char *)bytes, len};
	struct moment moment;
	char why[128] = "";
	if (moment_parse_text(text, NOW_MS, &moment, why) != OK) {
		check(memchr(why, '\0', sizeof why) && why[0]);
		return 0;
	}
	check(record_id_compare(moment_first(&moment, last), moment_last(&moment, last)) <= 0);
	if (moment.kind == MOMENT_MS || moment.kind == MOMENT_ID)
		check_again(&moment);
	return 0;
}
