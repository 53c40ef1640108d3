/* Numbers between their JSON spelling and the machine. A spelling fits when it is an integer of 64 bits, or when the double
 * nearest to it, printed in its shortest form (as JavaScript and Python print doubles), is the same number again: 0.1, 1.0,
 * -0 and 1e22 fit, 9007199254740993.0, 1e400 and 0.10000000000000001 do not, nor do numbers that only a subnormal
 * double is near to (5e-324), nor the few powers of two whose shortest form is not the nearest of its length.
 * Pure; in the C locale, which the gateway never leaves. Private to this room. */
#ifndef COMMON_CODEC_NUMBER_H
#define COMMON_CODEC_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"

#define NUMBER_TEXT 32 /* room for number_write */

enum number_kind {
	NUMBER_UINT,
	NUMBER_INT, /* below 0 */
	NUMBER_DOUBLE,
	NUMBER_UNFIT,
};

struct number {
	enum number_kind kind;
	union {
		uint64_t uint;
		int64_t sint;
		double real;
	};
};

/* Of a valid JSON number. */
struct number number_of(struct slice spelling);
/* The same for integers alone: a spelling with a point, an exponent or more than 64 bits is unfit, and -0, which no integer
 * can hold. */
struct number number_integer(struct slice spelling);

/* The shortest spelling that is read as this finite double again; always with a point or an exponent, so that it stays one.
 * Gives its length. */
size_t number_write(double real, char ret_text[NUMBER_TEXT]);

#endif
