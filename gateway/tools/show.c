#include "gateway/tools/show.h"

#include <string.h>

void show_text(FILE *out, struct tgc_text text)
{
	for (size_t i = 0; i < text.len; i++)
		putc((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? '?' : text.ptr[i], out);
}

static void write_bytes(struct tgc_text text)
{
	fwrite(text.ptr, 1, text.len, stdout);
}

/* Line ends between the tokens of a payload become spaces, which mean the same to JSON: one event, one line. */
static void write_line(struct tgc_text element)
{
	for (size_t i = 0; i < element.len; i++)
		putchar(element.ptr[i] == '\n' || element.ptr[i] == '\r' ? ' ' : element.ptr[i]);
	putchar('\n');
}

void show_event(struct show *show, const struct tgc_event *event)
{
	switch (show->format) {
	case FORMAT_TEXT:
		show_text(stdout, event->channel);
		putchar(' ');
		write_bytes(event->data);
		putchar('\n');
		break;
	case FORMAT_NDJSON:
		write_line(event->element);
		break;
	case FORMAT_JSON:
		fputs(show->shown ? ",\n" : "[\n", stdout);
		write_bytes(event->element);
		break;
	}
	show->shown++;
}

void show_end(struct show *show)
{
	if (show->format == FORMAT_JSON)
		fputs(show->shown ? "\n]\n" : "[]\n", stdout);
	fflush(stdout);
}

void show_state(const struct tgc_status *status)
{
	if (status->state != TGC_WAITING && status->state != TGC_CLOSED)
		return;
	fprintf(stderr, "tgcli: %s: %s", status->url, status->reason);
	if (status->code >= 1000)
		fprintf(stderr, " (%u)", status->code);
	if (status->state == TGC_WAITING)
		fprintf(stderr, "; next try in %llu ms", (unsigned long long)status->retry_in_ms);
	fputc('\n', stderr);
}

static bool is_code(const struct tgc_reply *reply, const char *code)
{
	return reply->code.len == strlen(code) && memcmp(reply->code.ptr, code, reply->code.len) == 0;
}

static void write_error(const struct tgc_reply *reply)
{
	fputs("tgcli: ", stderr);
	show_text(stderr, reply->code);
	fputs(": ", stderr);
	show_text(stderr, reply->message);
}

void show_error(const struct tgc_reply *reply)
{
	write_error(reply);
	if (is_code(reply, "unauthenticated"))
		fputs("; a token or an API key is needed: --token, --token-file, or TGCLI_TOKEN in the environment", stderr);
	fputc('\n', stderr);
}

void show_delay(bool *has_told, const struct tgc_reply *error)
{
	if (*has_told || is_code(error, "disconnected"))
		return;
	*has_told = true;
	write_error(error);
	fputs("; trying again\n", stderr);
}

void show_gap(const struct tgc_gap *gap)
{
	fputs("tgcli: gap (", stderr);
	show_text(stderr, gap->reason);
	fputs(")", stderr);
	if (gap->after.len) {
		fputs(" after ", stderr);
		show_text(stderr, gap->after);
	}
	if (gap->before.len) {
		fputs(" before ", stderr);
		show_text(stderr, gap->before);
	}
	if (gap->dropped >= 0)
		fprintf(stderr, ": %lld events not shown", (long long)gap->dropped);
	fputc('\n', stderr);
}

void show_notice(const struct tgc_notice *notice)
{
	fputs("tgcli: notice ", stderr);
	show_text(stderr, notice->json);
	fputc('\n', stderr);
}
