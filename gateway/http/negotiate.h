/* Which kind of content a request has, and which it wants (RFC 9110, sections 8.3 and 12.5.1). Pure. */
#ifndef GATEWAY_HTTP_NEGOTIATE_H
#define GATEWAY_HTTP_NEGOTIATE_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/http/head.h"

/* The offer that Accept likes best, the earlier one where it likes two as much; -1: none. Without Accept: the first. */
int negotiate_accept(const struct head *head, const char *const *offers, size_t count);
/* Whether Accept-Encoding likes gzip at least as much as no coding at all (RFC 9110 section 12.5.3). */
bool negotiate_gzip(const struct head *head);
/* Whether the value of a Content-Type names that type, whatever its parameters. */
bool negotiate_is_type(struct slice content_type, const char *type);
/* The one of the types that Content-Type names, whatever its parameters; -1: none of them, none at all, or two fields. */
int negotiate_content_type(const struct head *head, const char *const *types, size_t count);

#endif
