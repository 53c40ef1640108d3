/* Error codes of floors 0 to 3. A function that can fail returns one; success is 0 and a result must be looked at.
 * Functions with richer outcomes have an enum of their own. These floors return errors and never log them. */
#ifndef COMMON_BASE_ERR_H
#define COMMON_BASE_ERR_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text_at, first_at) __attribute__((format(printf, text_at, first_at)))

enum err {
	OK = 0,
	ERR_NOMEM,       /* memory could not be had */
	ERR_INVALID,     /* the input is malformed */
	ERR_RANGE,       /* well-formed, but outside what is allowed */
	ERR_LIMIT,       /* a documented limit is reached */
	ERR_NOTFOUND,    /* no such thing */
	ERR_EXISTS,      /* there is one already */
	ERR_DENIED,      /* not permitted */
	ERR_UNSUPPORTED, /* known, but this build or setting cannot do it */
	ERR_AGAIN,       /* not yet: more input, or a retry, is needed */
	ERR_TIMEOUT,     /* the deadline passed */
	ERR_CLOSED,      /* the peer, or the object, is gone */
	ERR_IO,          /* the system refused; errno says why */
};

const char *err_name(enum err error); /* "out of memory"; static text, never NULL */

#endif
