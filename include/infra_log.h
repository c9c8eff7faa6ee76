/* SPDX-License-Identifier: Apache-2.0 */
/* The log for C parts of the SDK that a firmware keeps. Messages go where the library's own go, as lines of
 * at most 511 bytes. */
#ifndef _INFRA_LOG_H_
#define _INFRA_LOG_H_

#include <stdarg.h>
#include "infra_defs.h"
#include "wrappers.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LITE_printf                      HAL_Printf
#define LITE_snprintf                    HAL_Snprintf
#define LITE_vsnprintf                   HAL_Vsnprintf
#define LITE_LOG_ENABLED

#if defined(_PLATFORM_IS_LINUX_)
#define LOG_MSG_MAXLEN                   512
#else
#define LOG_MSG_MAXLEN                   255
#endif
#define LOG_MOD_NAME_LEN                 7
#define LOG_PREFIX_FMT                   "[%s] %s(%d): "
#define HEXDUMP_SEP_LINE \
    "+---------------------------------------------------------------------"

#define LOG_NONE_LEVEL                   0
#define LOG_CRIT_LEVEL                   1
#define LOG_ERR_LEVEL                    2
#define LOG_WARNING_LEVEL                3
#define LOG_INFO_LEVEL                   4
#define LOG_DEBUG_LEVEL                  5
#define LOG_FLOW_LEVEL                   6

/* State of a log; the library has its own and uses none of these. */
typedef struct {
    char name[LOG_MOD_NAME_LEN + 1];
    int priority;
    char text_buf[LOG_MSG_MAXLEN + 1];
} log_client;

/* The level of IOT_SetLogLevel: messages up to it are printed. Setting it here prints nothing. */
int LITE_get_loglevel(void);
void LITE_set_loglevel(int level);

/* Prints bytes as hexadecimal numbers and characters, unless the level is 0. Returns 0. */
int LITE_hexdump(const char *title, const void *buf, const int len);

/* The same behind a line with function and line, if the level is printed. */
void LITE_rich_hexdump(const char *f, const int l, const int level, const char *buf_str,
                       const void *buf_ptr, const int buf_len);

/* Prints one message: module, function, line, level, text. */
void LITE_syslog_routine(char *m, const char *f, const int l, const int level, const char *fmt,
                         va_list *params);
void LITE_syslog(char *m, const char *f, const int l, const int level, const char *fmt, ...);

/* Prints a text of several lines, each behind mark. Returns 0, or 1 if its level is not printed. */
int log_multi_line_internal(const char *f, const int l, const char *title, int level, char *payload,
                            const char *mark);

/* Prints the JSON object str laid out in lines, if the level is printed. The third argument, an int, is
 * the mark in front of each line: '>', '<' or ':'. The values of deviceSecret, productSecret, password, sign
 * and token are left out. Returns 0; -1 for NULL or "", -2 for text that is no JSON object. */
int iotx_facility_json_print(const char *str, int level, ...);

#define log_multi_line(level, title, fmt, payload, mark) \
    log_multi_line_internal(__func__, __LINE__, title, level, payload, mark)
#define HEXDUMP_DEBUG(buf, len)                                                              \
    LITE_rich_hexdump(__func__, __LINE__, LOG_DEBUG_LEVEL, #buf, (const void *)buf, (const int)len)
#define HEXDUMP_INFO(buf, len)                                                               \
    LITE_rich_hexdump(__func__, __LINE__, LOG_INFO_LEVEL, #buf, (const void *)buf, (const int)len)

/* The messages of the firmware's own sources: printed if the firmware is built with INFRA_LOG, and left
 * out one by one with INFRA_LOG_MUTE_*. */
#if defined(INFRA_LOG) && !defined(INFRA_LOG_ALL_MUTED)
#define IOTX_KEPT_LOG(mod, level, ...) \
    LITE_syslog((char *)(mod), __func__, __LINE__, level, __VA_ARGS__)
#endif

#if defined(IOTX_KEPT_LOG) && !defined(INFRA_LOG_MUTE_FLW)
#define log_flow(mod, ...)               IOTX_KEPT_LOG(mod, LOG_FLOW_LEVEL, __VA_ARGS__)
#else
#define log_flow(mod, ...)
#endif
#if defined(IOTX_KEPT_LOG) && !defined(INFRA_LOG_MUTE_DBG)
#define log_debug(mod, ...)              IOTX_KEPT_LOG(mod, LOG_DEBUG_LEVEL, __VA_ARGS__)
#else
#define log_debug(mod, ...)
#endif
#if defined(IOTX_KEPT_LOG) && !defined(INFRA_LOG_MUTE_INF)
#define log_info(mod, ...)               IOTX_KEPT_LOG(mod, LOG_INFO_LEVEL, __VA_ARGS__)
#else
#define log_info(mod, ...)
#endif
#if defined(IOTX_KEPT_LOG) && !defined(INFRA_LOG_MUTE_WRN)
#define log_warning(mod, ...)            IOTX_KEPT_LOG(mod, LOG_WARNING_LEVEL, __VA_ARGS__)
#else
#define log_warning(mod, ...)
#endif
#if defined(IOTX_KEPT_LOG) && !defined(INFRA_LOG_MUTE_ERR)
#define log_err(mod, ...)                IOTX_KEPT_LOG(mod, LOG_ERR_LEVEL, __VA_ARGS__)
#else
#define log_err(mod, ...)
#endif
#if defined(IOTX_KEPT_LOG) && !defined(INFRA_LOG_MUTE_CRT)
#define log_crit(mod, ...)               IOTX_KEPT_LOG(mod, LOG_CRIT_LEVEL, __VA_ARGS__)
#else
#define log_crit(mod, ...)
#endif

#ifdef __cplusplus
}
#endif

#endif /* _INFRA_LOG_H_ */
