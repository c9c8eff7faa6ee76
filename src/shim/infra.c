/* SPDX-License-Identifier: Apache-2.0 */
/* What stable Rust cannot define: the variadic state event, and public helpers that an application
 * may replace by its own definition (weak symbols). Everything here forwards to Rust. */
#include <stdarg.h>
#include <stdio.h>

#include "infra_compat.h"
#include "infra_md5.h"
#include "infra_sha1.h"
#include "infra_sha256.h"
#include "infra_string.h"
#include "replaceable.h"

/* The symbol of the console, provided by the port; wrappers_os.h has a macro of this name. */
extern void HAL_Printf(const char *fmt, ...);

int iotx_state_wanted(int event);
int iotx_state_deliver(int event, int code, const char *text);

static int deliver(int event, int state_code, const char *state_message_format, va_list arguments)
{
    char text[64] = "";

    if (!iotx_state_wanted(event)) {
        return -1;
    }
    if (state_message_format != NULL && vsnprintf(text, sizeof(text), state_message_format, arguments) < 0) {
        text[0] = '\0';
    }
    return iotx_state_deliver(event, state_code, text);
}

int iotx_state_event(const int event, const int state_code, const char *state_message_format, ...)
{
    va_list arguments;
    int result;

    va_start(arguments, state_message_format);
    result = deliver(event, state_code, state_message_format, arguments);
    va_end(arguments);
    return result;
}

/* The same with the event numbers of SDK 3.1.0, see include/compat/3.1. */
int iotx_port_v31_event_number(int evt);
int iotx_v31_state_event(const int event, const int state_code, const char *state_message_format, ...);

int iotx_v31_state_event(const int event, const int state_code, const char *state_message_format, ...)
{
    va_list arguments;
    int result;

    va_start(arguments, state_message_format);
    result = deliver(iotx_port_v31_event_number(event), state_code, state_message_format, arguments);
    va_end(arguments);
    return result;
}

/* Prints one line of the log, given without its line end. */
void iotx_log_write(const char *line);

__attribute__((weak)) void iotx_log_write(const char *line)
{
    HAL_Printf("%s\n", line);
}

#define REPLACEABLE_CLONE(name, context)                                      \
    __attribute__((weak)) void name(context *dst, const context *src)         \
    {                                                                         \
        if (dst != NULL && src != NULL) {                                     \
            *dst = *src;                                                      \
        }                                                                     \
    }

/* The SDK defines it in infra_log.c. */
REPLACEABLE_VOID(IOT_SetLogLevel, iotx_port_set_log_level, (IOT_LogLevel level), (level))

REPLACEABLE(int8_t, infra_hex2char, iotx_port_hex2char, (uint8_t hex), (hex))
REPLACEABLE_VOID(infra_hex2str, iotx_port_hex2str, (uint8_t *input, uint16_t input_len, char *output),
                 (input, input_len, output))
REPLACEABLE_VOID(infra_int2str, iotx_port_int2str, (uint32_t input, char output[10]), (input, output))
REPLACEABLE(char *, infra_strtok, iotx_port_strtok, (char *str, const char *delim), (str, delim))
REPLACEABLE(int, infra_randstr, iotx_port_randstr, (char *random, int length), (random, length))
REPLACEABLE_VOID(LITE_hexstr_convert, iotx_port_hexstr_convert,
                 (char *input, int input_len, unsigned char *output, int output_len),
                 (input, input_len, output, output_len))
REPLACEABLE(int, infra_str2int, iotx_port_str2int, (const char *input, int *val), (input, val))
REPLACEABLE(int32_t, utils_str2uint, iotx_port_str2uint,
            (char *input, uint8_t input_len, uint32_t *output), (input, input_len, output))
REPLACEABLE(int32_t, infra_json_value, iotx_port_infra_json_value,
            (const char *input, uint32_t input_len, const char *key, uint32_t key_len, char **value,
             uint32_t *value_len),
            (input, input_len, key, key_len, value, value_len))
REPLACEABLE_VOID(LITE_hexbuf_convert, iotx_port_hexbuf_convert,
                 (unsigned char *digest, char *out, int in_len, int uppercase),
                 (digest, out, in_len, uppercase))

#define FAMILY(name, context, size)                                                            \
    REPLACEABLE_VOID(utils_##name##_init, iotx_port_##name##_init, (context *ctx), (ctx))       \
    REPLACEABLE_VOID(utils_##name##_free, iotx_port_##name##_free, (context *ctx), (ctx))       \
    REPLACEABLE_VOID(utils_##name##_starts, iotx_port_##name##_starts, (context *ctx), (ctx))   \
    REPLACEABLE_VOID(utils_##name##_update, iotx_port_##name##_update,                          \
                     (context *ctx, const unsigned char *input, uint32_t ilen),                 \
                     (ctx, input, ilen))                                                        \
    REPLACEABLE_VOID(utils_##name##_finish, iotx_port_##name##_finish,                          \
                     (context *ctx, unsigned char output[size]), (ctx, output))                 \
    REPLACEABLE_VOID(utils_##name##_process, iotx_port_##name##_process,                        \
                     (context *ctx, const unsigned char data[64]), (ctx, data))                 \
    REPLACEABLE_VOID(utils_##name, iotx_port_##name,                                            \
                     (const unsigned char *input, uint32_t ilen, unsigned char output[size]),   \
                     (input, ilen, output))
#define OLD_HMAC(name)                                                                         \
    REPLACEABLE_VOID(utils_##name, iotx_port_##name,                                            \
                     (const char *msg, int msg_len, char *digest, const char *key, int key_len), \
                     (msg, msg_len, digest, key, key_len))

FAMILY(sha256, iot_sha256_context, 32)
REPLACEABLE_VOID(utils_hmac_sha256, iotx_port_hmac_sha256,
                 (const uint8_t *msg, uint32_t msg_len, const uint8_t *key, uint32_t key_len,
                  uint8_t output[32]),
                 (msg, msg_len, key, key_len, output))
FAMILY(sha1, iot_sha1_context, 20)
REPLACEABLE_CLONE(utils_sha1_clone, iot_sha1_context)
OLD_HMAC(hmac_sha1)
OLD_HMAC(hmac_sha1_hex)
FAMILY(md5, iot_md5_context, 16)
REPLACEABLE_CLONE(utils_md5_clone, iot_md5_context)
OLD_HMAC(hmac_md5)
