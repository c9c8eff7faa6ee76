/* SPDX-License-Identifier: Apache-2.0 */
/* MD5 (RFC 1321) and HMAC-MD5 (RFC 2104), for old interfaces only. A context belongs to its
 * caller and may be used by one thread at a time. NULL arguments make a call without effect. */
#ifndef _INFRA_MD5_H_
#define _INFRA_MD5_H_

#include "infra_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* State of a running digest. */
typedef struct {
    uint32_t total[2];
    uint32_t state[4];
    unsigned char buffer[64];
} iot_md5_context;

/* Clears ctx. Nothing happens when ctx is NULL. */
void utils_md5_init(iot_md5_context *ctx);

/* Wipes ctx; it holds no other memory. */
void utils_md5_free(iot_md5_context *ctx);

/* Copies the running digest of src to dst. */
void utils_md5_clone(iot_md5_context *dst, const iot_md5_context *src);

/* Begins a new digest. */
void utils_md5_starts(iot_md5_context *ctx);

/* Adds ilen bytes of input. */
void utils_md5_update(iot_md5_context *ctx, const unsigned char *input, uint32_t ilen);

/* Ends the digest and writes it to output. ctx needs starts again before the next digest. */
void utils_md5_finish(iot_md5_context *ctx, unsigned char output[16]);

/* Runs the compression function over one block; the length is not counted. */
void utils_md5_process(iot_md5_context *ctx, const unsigned char data[64]);

/* Digest of ilen bytes of input. */
void utils_md5(const unsigned char *input, uint32_t ilen, unsigned char output[16]);

/* HMAC-MD5 of msg under key as 32 lower-case hexadecimal digits without a terminating NUL. */
void utils_hmac_md5(const char *msg, int msg_len, char *digest, const char *key, int key_len);

#ifdef __cplusplus
}
#endif

#endif /* _INFRA_MD5_H_ */
