#include <check.h>

#include "common/data/hash.h"
#include "tests/support/suite.h"

/* Values that xxhsum gives (-H3, -H2): they must never change, since what another node hashed meets ours in Redis. */
START_TEST(gives_the_canonical_values_of_xxh3)
{
	ck_assert_uint_eq(hash64(slice_of(""), 0), UINT64_C(0x2d06800538d394c2));
	struct hash128 hash = hash128(slice_of(""), 0);
	static const uint8_t expected[16] = {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8,
	                                     0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f};
	ck_assert_mem_eq(hash.bytes, expected, sizeof expected);
}
END_TEST

START_TEST(takes_no_bytes_at_all)
{
	ck_assert_uint_eq(hash64(SLICE_NONE, 7), hash64(slice_of(""), 7));
	struct hash128 none = hash128(SLICE_NONE, 7), empty = hash128(slice_of(""), 7);
	ck_assert_mem_eq(none.bytes, empty.bytes, sizeof none.bytes);
}
END_TEST

START_TEST(depends_on_every_byte_and_on_the_seed)
{
	char text[300] = {0};
	struct slice bytes = {text, sizeof text};
	struct hash128 first = hash128(bytes, 1);
	uint64_t first64 = hash64(bytes, 1);
	for (size_t i = 0; i < sizeof text; i++) {
		text[i] = 1;
		struct hash128 other = hash128(bytes, 1);
		ck_assert_mem_ne(other.bytes, first.bytes, sizeof first.bytes);
		ck_assert_uint_ne(hash64(bytes, 1), first64);
		text[i] = 0;
	}
	struct hash128 seeded = hash128(bytes, 2);
	ck_assert_mem_ne(seeded.bytes, first.bytes, sizeof first.bytes);
	ck_assert_uint_ne(hash64(bytes, 2), first64);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hash");
	TCase *cases = tcase_create("hash");
	tcase_add_test(cases, gives_the_canonical_values_of_xxh3);
	tcase_add_test(cases, takes_no_bytes_at_all);
	tcase_add_test(cases, depends_on_every_byte_and_on_the_seed);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
