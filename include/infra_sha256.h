/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104). A context belongs to its caller and may be
 * used by one thread at a time. NULL arguments make a call without effect. */
#ifndef _IOTX_COMMON_SHA256_H_
#define _IOTX_COMMON_SHA256_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHA256_DIGEST_LENGTH             32
#define SHA256_BLOCK_LENGTH              64
#define SHA256_SHORT_BLOCK_LENGTH        (SHA256_BLOCK_LENGTH - 8)
#define SHA256_DIGEST_STRING_LENGTH      (SHA256_DIGEST_LENGTH * 2 + 1)

/* State of a running digest; is224 must be 0. */
typedef struct {
    uint32_t total[2];
    uint32_t state[8];
    unsigned char buffer[64];
    int is224;
} iot_sha256_context;

typedef union {
    char sptr[8];
    uint64_t lint;
} u_retLen;

/* Clears ctx. Nothing happens when ctx is NULL. */
void utils_sha256_init(iot_sha256_context *ctx);

/* Wipes ctx; it holds no other memory. */
void utils_sha256_free(iot_sha256_context *ctx);

/* Begins a new digest. */
void utils_sha256_starts(iot_sha256_context *ctx);

/* Adds ilen bytes of input. */
void utils_sha256_update(iot_sha256_context *ctx, const unsigned char *input, uint32_t ilen);

/* Ends the digest and writes it to output. ctx needs starts again before the next digest. */
void utils_sha256_finish(iot_sha256_context *ctx, uint8_t output[32]);

/* Runs the compression function over one block; the length is not counted. */
void utils_sha256_process(iot_sha256_context *ctx, const unsigned char data[64]);

/* Digest of ilen bytes of input. */
void utils_sha256(const uint8_t *input, uint32_t ilen, uint8_t output[32]);

/* HMAC-SHA256 of msg under key, of any length. Zero output when a needed pointer is NULL. An
 * application may define this function itself. */
void utils_hmac_sha256(
    const uint8_t *msg, uint32_t msg_len, const uint8_t *key, uint32_t key_len,
    uint8_t output[32]);

#ifdef __cplusplus
}
#endif

#endif /* _IOTX_COMMON_SHA256_H_ */
