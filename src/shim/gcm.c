/* Puts our AES-GCM in the place of Mbed TLS's (why: src/hal/tls/mbed_gcm.rs).
 *
 * These are all functions of its gcm.h, and nothing else is defined here: whichever object a linker
 * takes first, this one or the library's gcm.o, the other has nothing left to offer and stays out. */
#include <stddef.h>

#if defined(IOTX_FAST_GCM) && (defined(__x86_64__) || defined(__aarch64__))

extern void iotx_port_gcm_init(void *context);
extern int iotx_port_gcm_setkey(void *context, int cipher, const unsigned char *key, unsigned int keybits);
extern int iotx_port_gcm_crypt_and_tag(void *context, int mode, size_t length, const unsigned char *iv, size_t iv_len,
                                       const unsigned char *add, size_t add_len, const unsigned char *input,
                                       unsigned char *output, size_t tag_len, unsigned char *tag);
extern int iotx_port_gcm_auth_decrypt(void *context, size_t length, const unsigned char *iv, size_t iv_len,
                                      const unsigned char *add, size_t add_len, const unsigned char *tag,
                                      size_t tag_len, const unsigned char *input, unsigned char *output);
extern int iotx_port_gcm_refuse(void);
extern void iotx_port_gcm_free(void *context);

#define IN_PLACE_OF_MBED_TLS __attribute__((visibility("hidden")))

IN_PLACE_OF_MBED_TLS void mbedtls_gcm_init(void *context)
{
    iotx_port_gcm_init(context);
}

IN_PLACE_OF_MBED_TLS int mbedtls_gcm_setkey(void *context, int cipher, const unsigned char *key, unsigned int keybits)
{
    return iotx_port_gcm_setkey(context, cipher, key, keybits);
}

IN_PLACE_OF_MBED_TLS int mbedtls_gcm_crypt_and_tag(void *context, int mode, size_t length, const unsigned char *iv,
                                                   size_t iv_len, const unsigned char *add, size_t add_len,
                                                   const unsigned char *input, unsigned char *output, size_t tag_len,
                                                   unsigned char *tag)
{
    return iotx_port_gcm_crypt_and_tag(context, mode, length, iv, iv_len, add, add_len, input, output, tag_len, tag);
}

IN_PLACE_OF_MBED_TLS int mbedtls_gcm_auth_decrypt(void *context, size_t length, const unsigned char *iv, size_t iv_len,
                                                  const unsigned char *add, size_t add_len, const unsigned char *tag,
                                                  size_t tag_len, const unsigned char *input, unsigned char *output)
{
    return iotx_port_gcm_auth_decrypt(context, length, iv, iv_len, add, add_len, tag, tag_len, input, output);
}

/* TLS never goes step by step. */
IN_PLACE_OF_MBED_TLS int mbedtls_gcm_starts(void *context, int mode, const unsigned char *iv, size_t iv_len,
                                            const unsigned char *add, size_t add_len)
{
    (void)context;
    (void)mode;
    (void)iv;
    (void)iv_len;
    (void)add;
    (void)add_len;
    return iotx_port_gcm_refuse();
}

IN_PLACE_OF_MBED_TLS int mbedtls_gcm_update(void *context, size_t length, const unsigned char *input,
                                            unsigned char *output)
{
    (void)context;
    (void)length;
    (void)input;
    (void)output;
    return iotx_port_gcm_refuse();
}

IN_PLACE_OF_MBED_TLS int mbedtls_gcm_finish(void *context, unsigned char *tag, size_t tag_len)
{
    (void)context;
    (void)tag;
    (void)tag_len;
    return iotx_port_gcm_refuse();
}

IN_PLACE_OF_MBED_TLS void mbedtls_gcm_free(void *context)
{
    iotx_port_gcm_free(context);
}

#endif
