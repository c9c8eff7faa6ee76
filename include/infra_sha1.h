/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-1 (FIPS 180-4) and HMAC-SHA1 (RFC 2104), for old interfaces only. A context belongs to
 * its caller and may be used by one thread at a time. NULL arguments make a call without
 * effect. */
#ifndef _INFRA_SHA1_H_
#define _INFRA_SHA1_H_

#include "infra_types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SHA1_DIGEST_SIZE                 20

/* State of a running digest. */
typedef struct {
    uint32_t total[2];
    uint32_t state[5];
    unsigned char buffer[64];
} iot_sha1_context;

/* Clears ctx. Nothing happens when ctx is NULL. */
void utils_sha1_init(iot_sha1_context *ctx);

/* Wipes ctx; it holds no other memory. */
void utils_sha1_free(iot_sha1_context *ctx);

/* Copies the running digest of src to dst. */
void utils_sha1_clone(iot_sha1_context *dst, const iot_sha1_context *src);

/* Begins a new digest. */
void utils_sha1_starts(iot_sha1_context *ctx);

/* Adds ilen bytes of input. */
void utils_sha1_update(iot_sha1_context *ctx, const unsigned char *input, uint32_t ilen);

/* Ends the digest and writes it to output. ctx needs starts again before the next digest. */
void utils_sha1_finish(iot_sha1_context *ctx, unsigned char output[20]);

/* Runs the compression function over one block; the length is not counted. */
void utils_sha1_process(iot_sha1_context *ctx, const unsigned char data[64]);

/* Digest of ilen bytes of input. */
void utils_sha1(const unsigned char *input, uint32_t ilen, unsigned char output[20]);

/* HMAC-SHA1 of msg under key as 40 lower-case hexadecimal digits without a terminating NUL. */
void utils_hmac_sha1(const char *msg, int msg_len, char *digest, const char *key, int key_len);

/* HMAC-SHA1 of msg under key as 20 bytes, in spite of the name. */
void utils_hmac_sha1_hex(
    const char *msg, int msg_len, char *digest, const char *key, int key_len);

#ifdef __cplusplus
}
#endif

#endif /* _INFRA_SHA1_H_ */
