/* The forms of a moment. Which one a text is meant to be is told from how it begins, so that the error speaks of that
 * form. */
#include <stdio.h>
#include <string.h>

#include "common/protocol/log.h"
#include "common/base/decimal.h"
#include "common/protocol/value.h"

#define ALLOWED "a cursor, milliseconds, an ISO 8601 time, \"earliest\", \"now\" or \"-5m\" is needed"

#define MS_PER_SECOND UINT64_C(1000)
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR (60 * MS_PER_MINUTE)
#define MS_PER_DAY (24 * MS_PER_HOUR)

static enum err refuse(enum err error, const char *why, char ret_why[128])
{
	snprintf(ret_why, 128, "%s", why);
	return error;
}

static enum err give_ms(uint64_t ms, struct moment *ret_moment)
{
	*ret_moment = (struct moment){.kind = MOMENT_MS, .ms = ms};
	return OK;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static size_t count_digits(struct slice text)
{
	size_t count = 0;
	while (count < text.len && is_digit(text.ptr[count]))
		count++;
	return count;
}

static enum err parse_ms(struct slice digits, struct moment *ret_moment, char ret_why[128])
{
	uint64_t ms;
	if (!decimal_read(digits, UINT64_MAX, &ms))
		return refuse(ERR_RANGE, "beyond 64 bits of milliseconds", ret_why);
	return give_ms(ms, ret_moment);
}

/* Milliseconds of a unit; 0: there is no such unit. */
static uint64_t unit_ms(struct slice unit)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", MS_PER_SECOND}, {"m", MS_PER_MINUTE}, {"h", MS_PER_HOUR}, {"d", MS_PER_DAY}};
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (slice_is(unit, units[i].name))
			return units[i].ms;
	}
	return 0;
}

/* "-<digits><unit>". What lies before 1970 is 1970: the log has nothing older either way. */
static enum err parse_relative(struct slice text, uint64_t now_ms, struct moment *ret_moment, char ret_why[128])
{
	struct slice digits = {text.ptr + 1, 0};
	digits.len = count_digits((struct slice){text.ptr + 1, text.len - 1});
	struct slice unit = {digits.ptr + digits.len, text.len - 1 - digits.len};
	uint64_t count, each_ms = unit_ms(unit);
	if (digits.len && unit.len == 0)
		return refuse(ERR_RANGE, "negative; a time before now has a unit (ms, s, m, h, d), as in \"-5m\"",
		              ret_why);
	if (digits.len == 0 || each_ms == 0)
		return refuse(ERR_INVALID,
		              "a time before now is a whole number and one unit of ms, s, m, h, d, as in \"-5m\"",
		              ret_why);
	if (!decimal_read(digits, UINT64_MAX, &count) || count > UINT64_MAX / each_ms)
		return refuse(ERR_RANGE, "further back than 64 bits of milliseconds", ret_why);
	return give_ms(count * each_ms < now_ms ? now_ms - count * each_ms : 0, ret_moment);
}

/* What is still unread of an ISO 8601 time. */
struct reading {
	struct slice rest;
};

static bool take_byte(struct reading *reading, const char *one_of)
{
	if (reading->rest.len == 0 || !reading->rest.ptr[0] || !strchr(one_of, reading->rest.ptr[0]))
		return false;
	reading->rest.ptr++;
	reading->rest.len--;
	return true;
}

/* Exactly so many digits, at most 9. */
static bool take_number(struct reading *reading, size_t digits, unsigned *ret_number)
{
	if (count_digits(reading->rest) < digits)
		return false;
	unsigned number = 0;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (unsigned)(reading->rest.ptr[i] - '0');
	reading->rest.ptr += digits;
	reading->rest.len -= digits;
	*ret_number = number;
	return true;
}

/* A calendar time and how far its clock is ahead of UTC. */
struct iso_time {
	unsigned year, month, day, hour, minute, second, ms;
	int64_t ahead_minutes;
};

/* "." and digits, of which the first three count. */
static bool take_fraction(struct reading *reading, unsigned *ret_ms)
{
	size_t count = count_digits(reading->rest);
	if (count == 0)
		return false;
	unsigned ms = 0;
	for (size_t i = 0; i < 3; i++)
		ms = ms * 10 + (i < count ? (unsigned)(reading->rest.ptr[i] - '0') : 0);
	reading->rest.ptr += count;
	reading->rest.len -= count;
	*ret_ms = ms;
	return true;
}

static bool take_clock(struct reading *reading, struct iso_time *time)
{
	if (!take_number(reading, 2, &time->hour) || !take_byte(reading, ":") ||
	    !take_number(reading, 2, &time->minute))
		return false;
	if (!take_byte(reading, ":"))
		return true;
	if (!take_number(reading, 2, &time->second))
		return false;
	return !take_byte(reading, ".") || take_fraction(reading, &time->ms);
}

/* Z, +hh:mm, +hhmm, +hh, or nothing, which is UTC. */
static bool take_zone(struct reading *reading, struct iso_time *time)
{
	unsigned hours, minutes = 0;
	if (reading->rest.len == 0 || take_byte(reading, "Zz"))
		return true;
	bool is_behind = reading->rest.ptr[0] == '-';
	if (!take_byte(reading, "+-") || !take_number(reading, 2, &hours))
		return false;
	if (reading->rest.len) {
		take_byte(reading, ":");
		if (!take_number(reading, 2, &minutes))
			return false;
	}
	time->ahead_minutes = (int64_t)hours * 60 + minutes;
	if (is_behind)
		time->ahead_minutes = -time->ahead_minutes;
	return hours <= 23 && minutes <= 59;
}

static bool take_iso(struct reading *reading, struct iso_time *time)
{
	if (!take_number(reading, 4, &time->year) || !take_byte(reading, "-") ||
	    !take_number(reading, 2, &time->month) || !take_byte(reading, "-") || !take_number(reading, 2, &time->day))
		return false;
	if (reading->rest.len == 0)
		return true;
	return take_byte(reading, "Tt ") && take_clock(reading, time) && take_zone(reading, time) &&
	       reading->rest.len == 0;
}

static bool is_leap_year(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* A second of 60 is a leap second, which Unix time does not have: it is the second behind it. */
static bool is_on_the_calendar(const struct iso_time *time)
{
	static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (time->month < 1 || time->month > 12 || time->day < 1)
		return false;
	unsigned last = days[time->month - 1] + (time->month == 2 && is_leap_year(time->year));
	return time->day <= last && time->hour <= 23 && time->minute <= 59 && time->second <= 60;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar. Years begin in March here, so that the leap day is their
 * last. */
static int64_t days_of(const struct iso_time *time)
{
	int64_t year = (int64_t)time->year - (time->month <= 2);
	int64_t month = (time->month + 9) % 12;
	int64_t day_of_year = (153 * month + 2) / 5 + time->day - 1;
	int64_t leap_days = year >= 0 ? year / 4 - year / 100 + year / 400 : -1;
	return year * 365 + leap_days + day_of_year - 719468;
}

static enum err parse_iso(struct slice text, struct moment *ret_moment, char ret_why[128])
{
	struct iso_time time = {0};
	if (!take_iso(&(struct reading){text}, &time))
		return refuse(
		    ERR_INVALID,
		    "no ISO 8601 time: \"2025-11-25T10:00:00.123Z\", or less of it, or \"+01:00\" for \"Z\" is needed",
		    ret_why);
	if (!is_on_the_calendar(&time))
		return refuse(ERR_RANGE, "no day and time of the calendar", ret_why);
	int64_t minutes = (days_of(&time) * 24 + time.hour) * 60 + time.minute - time.ahead_minutes;
	int64_t ms = (minutes * 60 + time.second) * (int64_t)MS_PER_SECOND + time.ms;
	if (ms < 0)
		return refuse(ERR_RANGE, "before 1970", ret_why);
	return give_ms((uint64_t)ms, ret_moment);
}

enum err moment_parse_text(struct slice text, uint64_t now_ms, struct moment *ret_moment, char ret_why[128])
{
	struct cursor cursor;
	bool is_earliest = slice_is(text, "earliest");
	if (is_earliest || slice_is(text, "now")) {
		*ret_moment = (struct moment){.kind = is_earliest ? MOMENT_EARLIEST : MOMENT_NOW};
		return OK;
	}
	if (text.len == 0)
		return refuse(ERR_INVALID, "empty; " ALLOWED, ret_why);
	if (text.ptr[0] == '-')
		return parse_relative(text, now_ms, ret_moment, ret_why);
	size_t digits = count_digits(text);
	if (digits == text.len)
		return parse_ms(text, ret_moment, ret_why);
	if (cursor_parse(text, &cursor) == OK) {
		*ret_moment = (struct moment){.kind = MOMENT_ID, .cursor = cursor};
		return OK;
	}
	if (digits == 4 && text.ptr[4] == '-')
		return parse_iso(text, ret_moment, ret_why);
	return refuse(ERR_INVALID, ALLOWED, ret_why);
}

static enum err refuse_number(struct slice spelling, char ret_why[128])
{
	if (count_digits(spelling) == spelling.len)
		return refuse(ERR_RANGE, "beyond 64 bits of milliseconds", ret_why);
	if (spelling.len && spelling.ptr[0] == '-')
		return refuse(ERR_RANGE, "negative; milliseconds since 1970 are needed", ret_why);
	return refuse(ERR_INVALID, "milliseconds are a whole number, without a fraction or an exponent", ret_why);
}

enum err moment_parse(const struct value *value, uint64_t now_ms, struct moment *ret_moment, char ret_why[128])
{
	switch (value->kind) {
	case VALUE_STRING:
		return moment_parse_text(value->text, now_ms, ret_moment, ret_why);
	case VALUE_UINT:
		return give_ms(value->uint, ret_moment);
	case VALUE_INT:
		return refuse(ERR_RANGE, "negative; milliseconds since 1970 are needed", ret_why);
	case VALUE_NUMBER:
		return refuse_number(value->text, ret_why);
	case VALUE_NULL:
	case VALUE_BOOL:
	case VALUE_RAW:
	case VALUE_ARRAY:
	case VALUE_MAP:
		break;
	}
	snprintf(ret_why, 128, ALLOWED ", no %s", value_kind_name(value->kind));
	return ERR_INVALID;
}

struct record_id moment_first(const struct moment *moment, struct record_id last)
{
	switch (moment->kind) {
	case MOMENT_ID:
		return moment->cursor.id;
	case MOMENT_MS:
		return (struct record_id){moment->ms, 0};
	case MOMENT_NOW:
		return last;
	case MOMENT_EARLIEST:
		break;
	}
	return (struct record_id){0, 0};
}

struct record_id moment_last(const struct moment *moment, struct record_id last)
{
	if (moment->kind == MOMENT_MS)
		return (struct record_id){moment->ms, UINT64_MAX};
	return moment_first(moment, last);
}
