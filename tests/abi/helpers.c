/* SPDX-License-Identifier: Apache-2.0 */
/* Digests and string helpers, with published vectors (FIPS 180-4, RFC 1321, 2202, 4231). One helper is
 * replaced by this program, as firmware with its own copy does. */
#include "iotx.h"

#include <limits.h>

#include "check.h"

static uint32_t drawn;

/* Counts up: the letters of infra_randstr become predictable. Ignores the range on purpose. */
#ifdef __cplusplus
extern "C"
#endif
uint32_t HAL_Random(uint32_t region)
{
    (void)region;
    return drawn += 61;
}

#ifdef __cplusplus
extern "C"
#endif
int8_t infra_hex2char(uint8_t hex)
{
    return (int8_t)(hex == 1 ? '!' : '?');
}

static int equals_hex(const unsigned char *bytes, size_t len, const char *wanted)
{
    char text[2 * 64 + 1] = "";

    LITE_hexbuf_convert((unsigned char *)(uintptr_t)bytes, text, (int)len, 0);
    return strcmp(text, wanted) == 0;
}

static const char SHA256_ABC[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char SHA1_ABC[] = "a9993e364706816aba3e25717850c26c9cd0d89d";
static const char MD5_ABC[] = "900150983cd24fb0d6963f7d28e17f72";

#define BYTES(text) ((const unsigned char *)(text))

/* Feeds 200 bytes in all pieces of one size and compares with the digest of the whole. */
#define STREAM(name, size)                                                           \
    do {                                                                             \
        unsigned char input[200], whole[size], pieces[size];                         \
        iot_##name##_context context;                                                \
        for (unsigned at = 0; at < sizeof(input); at++) {                            \
            input[at] = (unsigned char)(at * 7);                                     \
        }                                                                            \
        for (uint32_t length = 0; length <= sizeof(input); length++) {               \
            utils_##name(input, length, whole);                                      \
            for (uint32_t step = 1; step < 140; step += 9) {                         \
                utils_##name##_init(&context);                                       \
                utils_##name##_starts(&context);                                     \
                for (uint32_t at = 0; at < length; at += step) {                     \
                    uint32_t left = length - at;                                     \
                    utils_##name##_update(&context, input + at, left < step ? left : step); \
                }                                                                    \
                memset(pieces, 0, sizeof(pieces));                                   \
                utils_##name##_finish(&context, pieces);                             \
                CHECK(memcmp(whole, pieces, size) == 0);                             \
                utils_##name##_free(&context);                                       \
            }                                                                        \
        }                                                                            \
        CHECK(context.total[0] == 0 && context.state[0] == 0 && context.buffer[0] == 0); \
        memset(pieces, 'x', sizeof(pieces));                                         \
        utils_##name##_init(NULL);                                                   \
        utils_##name##_starts(NULL);                                                 \
        utils_##name##_update(NULL, input, 3);                                       \
        utils_##name##_process(NULL, input);                                         \
        utils_##name##_finish(NULL, pieces);                                         \
        utils_##name##_free(NULL);                                                   \
        utils_##name##_starts(&context);                                             \
        utils_##name##_update(&context, NULL, 3);                                    \
        utils_##name##_process(&context, NULL);                                      \
        utils_##name##_finish(&context, NULL);                                       \
        utils_##name(NULL, 3, pieces);                                               \
        utils_##name(input, 3, NULL);                                                \
        CHECK(pieces[0] == 'x' && context.total[0] == 0);                            \
    } while (0)

static void digests(void)
{
    unsigned char out[32];

    utils_sha256(BYTES("abc"), 3, out);
    CHECK(equals_hex(out, 32, SHA256_ABC));
    utils_sha256(NULL, 0, out);
    CHECK(equals_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    utils_sha1(BYTES("abc"), 3, out);
    CHECK(equals_hex(out, 20, SHA1_ABC));
    utils_md5(BYTES("abc"), 3, out);
    CHECK(equals_hex(out, 16, MD5_ABC));
    STREAM(sha256, 32);
    STREAM(sha1, 20);
    STREAM(md5, 16);

    /* A cloned digest goes its own way. */
    iot_sha1_context one, other;
    utils_sha1_starts(&one);
    utils_sha1_update(&one, BYTES("ab"), 2);
    utils_sha1_clone(&other, &one);
    utils_sha1_update(&one, BYTES("x"), 1);
    utils_sha1_update(&other, BYTES("c"), 1);
    utils_sha1_finish(&other, out);
    CHECK(equals_hex(out, 20, SHA1_ABC));
    utils_sha1_clone(NULL, &one);
    utils_sha1_clone(&one, NULL);
    iot_md5_context m, n;
    utils_md5_starts(&m);
    utils_md5_update(&m, BYTES("abc"), 3);
    utils_md5_clone(&n, &m);
    utils_md5_finish(&n, out);
    CHECK(equals_hex(out, 16, MD5_ABC));

    /* The compression function over one block is what update does with it. */
    unsigned char block[64];
    iot_sha256_context a, b;
    memset(block, 'b', sizeof(block));
    utils_sha256_starts(&a);
    utils_sha256_starts(&b);
    utils_sha256_update(&a, block, 64);
    utils_sha256_process(&b, block);
    CHECK(memcmp(a.state, b.state, sizeof(a.state)) == 0);
    CHECK(a.total[0] == 64 && b.total[0] == 0 && a.is224 == 0);
}

static void hmacs(void)
{
    unsigned char key[131], out[33];
    char text[41] = "";

    memset(key, 0x0b, sizeof(key));
    utils_hmac_sha256(BYTES("Hi There"), 8, key, 20, out);
    CHECK(equals_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    utils_hmac_sha256(BYTES("what do ya want for nothing?"), 28, BYTES("Jefe"), 4, out);
    CHECK(equals_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    /* A key longer than a block. */
    memset(key, 0xaa, sizeof(key));
    utils_hmac_sha256(BYTES("Test Using Larger Than Block-Size Key - Hash Key First"), 54, key, 131, out);
    CHECK(equals_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));

    memset(out, 'x', sizeof(out));
    utils_hmac_sha256(NULL, 5, key, 5, out);
    CHECK(out[0] == 0 && out[31] == 0 && out[32] == 'x');
    memset(out, 'x', sizeof(out));
    utils_hmac_sha256(BYTES("m"), 1, NULL, 5, out);
    CHECK(out[0] == 0 && out[31] == 0);
    utils_hmac_sha256(BYTES("m"), 1, key, 5, NULL);

    utils_hmac_md5("what do ya want for nothing?", 28, text, "Jefe", 4);
    CHECK(strcmp(text, "750c783e6ab0b503eaa86e310a5db738") == 0);
    utils_hmac_sha1("what do ya want for nothing?", 28, text, "Jefe", 4);
    CHECK(strcmp(text, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79") == 0);
    memset(out, 'x', sizeof(out));
    utils_hmac_sha1_hex("what do ya want for nothing?", 28, (char *)out, "Jefe", 4);
    CHECK(equals_hex(out, 20, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79") && out[20] == 'x');
    strcpy(text, "kept");
    utils_hmac_md5(NULL, 1, text, "k", 1);
    utils_hmac_sha1("m", -1, text, "k", 1);
    utils_hmac_sha1("m", 1, text, "k", -1);
    utils_hmac_sha1_hex("m", 1, NULL, "k", 1);
    CHECK(strcmp(text, "kept") == 0);
}

static void strings(void)
{
    uint8_t bytes[] = {0x00, 0x1f, 0xab};
    char text[64];
    unsigned char raw[4];
    int number = 42;
    uint32_t unsigned_number = 42;

    /* The program's own definition replaced the library's. */
    CHECK(infra_hex2char(1) == '!');

    memset(text, '#', sizeof(text));
    infra_hex2str(bytes, 3, text);
    CHECK(memcmp(text, "001FAB#", 7) == 0);
    infra_hex2str(NULL, 3, text);
    infra_hex2str(bytes, 3, NULL);
    LITE_hexbuf_convert(bytes, text, 3, 0);
    CHECK(memcmp(text, "001fab#", 7) == 0);
    LITE_hexbuf_convert(bytes, text, 2, 1);
    CHECK(memcmp(text, "001Fab#", 7) == 0);
    LITE_hexbuf_convert(bytes, text, -1, 1);
    LITE_hexbuf_convert(NULL, text, 3, 1);

    memset(raw, 'x', sizeof(raw));
    strcpy(text, "0aFfg1");
    LITE_hexstr_convert(text, 6, raw, 4);
    CHECK(raw[0] == 0x0a && raw[1] == 0xff && raw[2] == 0x01 && raw[3] == 'x');
    memset(raw, 'x', sizeof(raw));
    LITE_hexstr_convert(text, 5, raw, 4);
    LITE_hexstr_convert(text, -2, raw, 4);
    LITE_hexstr_convert(text, 6, raw, -1);
    LITE_hexstr_convert(NULL, 6, raw, 4);
    CHECK(raw[0] == 'x');
    LITE_hexstr_convert(text, 6, raw, 1);
    CHECK(raw[0] == 0x0a && raw[1] == 'x');

    memset(text, '#', sizeof(text));
    infra_int2str(UINT32_MAX, text);
    CHECK(memcmp(text, "4294967295#", 11) == 0);
    infra_int2str(0, text);
    CHECK(memcmp(text, "0294", 4) == 0);
    infra_int2str(1, NULL);

    CHECK(infra_str2int("  -12x", &number) == 0 && number == -12);
    CHECK(infra_str2int("+7", &number) == 0 && number == 7);
    CHECK(infra_str2int("2147483647", &number) == 0 && number == INT_MAX);
    CHECK(infra_str2int("-2147483648", &number) == 0 && number == INT_MIN);
    CHECK(infra_str2int("2147483648", &number) == -1 && number == INT_MIN);
    CHECK(infra_str2int("", &number) == 0 && number == 0);
    CHECK(infra_str2int(NULL, &number) == -1 && infra_str2int("1", NULL) == -1);

    strcpy(text, "4294967295z");
    CHECK(utils_str2uint(text, 10, &unsigned_number) == 0 && unsigned_number == UINT32_MAX);
    CHECK(utils_str2uint(text, 11, &unsigned_number) == -1);
    strcpy(text, "4294967296");
    CHECK(utils_str2uint(text, 10, &unsigned_number) == -1 && unsigned_number == UINT32_MAX);
    CHECK(utils_str2uint(text, 0, &unsigned_number) == -1);
    CHECK(utils_str2uint(NULL, 2, &unsigned_number) == -1);
    CHECK(utils_str2uint(text, 2, NULL) == -1);
    strcpy(text, "+1");
    CHECK(utils_str2uint(text, 2, &unsigned_number) == -1);

    strcpy(text, "//sys//pk/a");
    CHECK(strcmp(infra_strtok(text, "/"), "sys") == 0);
    CHECK(strcmp(infra_strtok(NULL, "/"), "pk") == 0);
    CHECK(strcmp(infra_strtok(NULL, "/"), "a") == 0);
    CHECK(infra_strtok(NULL, "/") == NULL && infra_strtok(NULL, "/") == NULL);
    strcpy(text, "a, b, ");
    CHECK(strcmp(infra_strtok(text, ", "), "a") == 0);
    CHECK(strcmp(infra_strtok(NULL, ", "), "b") == 0);
    CHECK(infra_strtok(NULL, ", ") == NULL);
    strcpy(text, "---");
    CHECK(infra_strtok(text, "-") == NULL);
    CHECK(infra_strtok(text, NULL) == NULL && infra_strtok(text, "") == NULL);

    memset(text, '#', sizeof(text));
    CHECK(infra_randstr(text, 62) == 0 && text[62] == '#');
    text[62] = '\0';
    for (int at = 0; at < 62; at++) {
        CHECK(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", text[at]) != NULL);
        CHECK(strchr(text + at + 1, text[at]) == NULL);
    }
    CHECK(infra_randstr(text, 0) == 0);
    CHECK(infra_randstr(text, -1) == -1 && infra_randstr(NULL, 3) == -1);
}

int main(void)
{
    digests();
    hmacs();
    strings();
    return finish();
}
