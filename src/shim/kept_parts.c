/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers for parts of the SDK that a firmware keeps in C: timers, reports, log, JSON. All of them are weak,
 * so that firmware which still compiles the SDK's own helpers links and uses those. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "infra_cjson.h"
#include "infra_json_parser.h"
#include "infra_log.h"
#include "infra_report.h"
#include "infra_timer.h"
#include "replaceable.h"

/* infra_timer.h */
REPLACEABLE_VOID(iotx_time_start, iotx_port_time_start, (iotx_time_t *timer), (timer))
REPLACEABLE(uint32_t, utils_time_spend, iotx_port_time_spend, (iotx_time_t *start), (start))
REPLACEABLE(uint32_t, iotx_time_left, iotx_port_time_left, (iotx_time_t *end), (end))
REPLACEABLE(uint32_t, utils_time_is_expired, iotx_port_time_is_expired, (iotx_time_t *timer), (timer))
REPLACEABLE_VOID(iotx_time_init, iotx_port_time_init, (iotx_time_t *timer), (timer))
REPLACEABLE_VOID(utils_time_countdown_ms, iotx_port_time_countdown_ms,
                 (iotx_time_t *timer, uint32_t millisecond), (timer, millisecond))
REPLACEABLE(uint32_t, utils_time_get_ms, iotx_port_time_get_ms, (void), ())

/* infra_report.h */
REPLACEABLE(int, iotx_report_id, iotx_port_report_id, (void), ())
REPLACEABLE_VOID(iotx_set_report_func, iotx_port_set_report_func, (info_report_func_pt func), (func))
REPLACEABLE(int, iotx_report_devinfo, iotx_port_report_devinfo, (void *pclient), (pclient))
REPLACEABLE(int, iotx_report_mid, iotx_port_report_mid, (void *pclient), (pclient))
REPLACEABLE(int, iotx_report_firmware_version, iotx_port_report_firmware_version, (void *pclient),
            (pclient))

/* infra_log.h */
REPLACEABLE(int, LITE_get_loglevel, iotx_port_get_loglevel, (void), ())
REPLACEABLE_VOID(LITE_set_loglevel, iotx_port_set_loglevel, (int level), (level))
REPLACEABLE(int, LITE_hexdump, iotx_port_hexdump, (const char *title, const void *buf, const int len),
            (title, buf, len))
REPLACEABLE_VOID(LITE_rich_hexdump, iotx_port_rich_hexdump,
                 (const char *f, const int l, const int level, const char *buf_str, const void *buf_ptr,
                  const int buf_len),
                 (f, l, level, buf_str, buf_ptr, buf_len))
REPLACEABLE(int, log_multi_line_internal, iotx_port_log_multi_line,
            (const char *f, const int l, const char *title, int level, char *payload, const char *mark),
            (f, l, title, level, payload, mark))

int  iotx_port_syslog_wanted(int level);
void iotx_port_syslog(const char *module, const char *function, int line, int level, const char *text);

/* Formats into a line; the log cuts at the same length. */
static void format(const char *m, const char *f, int l, int level, const char *fmt, va_list params)
{
    char text[512] = "";

    if (!iotx_port_syslog_wanted(level)) {
        return;
    }
    if (fmt != NULL && vsnprintf(text, sizeof(text), fmt, params) < 0) {
        text[0] = '\0';
    }
    iotx_port_syslog(m, f, l, level, text);
}

__attribute__((weak)) void LITE_syslog_routine(char *m, const char *f, const int l, const int level,
                                               const char *fmt, va_list *params)
{
    if (params != NULL) {
        format(m, f, l, level, fmt, *params);
    }
}

__attribute__((weak)) void LITE_syslog(char *m, const char *f, const int l, const int level,
                                       const char *fmt, ...)
{
    va_list params;

    va_start(params, fmt);
    format(m, f, l, level, fmt, params);
    va_end(params);
}

int iotx_port_json_print(const char *str, int level, int mark);

/* The mark is the first of the further arguments; callers pass notes behind it. */
__attribute__((weak)) int iotx_facility_json_print(const char *str, int level, ...)
{
    va_list params;
    int     mark;

    va_start(params, level);
    mark = va_arg(params, int);
    va_end(params);
    return iotx_port_json_print(str, level, mark);
}

/* infra_cjson.h, reading */
REPLACEABLE(int, lite_cjson_parse, iotx_port_cjson_parse,
            (const char *src, int src_len, lite_cjson_t *lite), (src, src_len, lite))
REPLACEABLE(int, lite_cjson_is_false, iotx_port_cjson_is_false, (lite_cjson_t *lite), (lite))
REPLACEABLE(int, lite_cjson_is_true, iotx_port_cjson_is_true, (lite_cjson_t *lite), (lite))
REPLACEABLE(int, lite_cjson_is_null, iotx_port_cjson_is_null, (lite_cjson_t *lite), (lite))
REPLACEABLE(int, lite_cjson_is_number, iotx_port_cjson_is_number, (lite_cjson_t *lite), (lite))
REPLACEABLE(int, lite_cjson_is_string, iotx_port_cjson_is_string, (lite_cjson_t *lite), (lite))
REPLACEABLE(int, lite_cjson_is_array, iotx_port_cjson_is_array, (lite_cjson_t *lite), (lite))
REPLACEABLE(int, lite_cjson_is_object, iotx_port_cjson_is_object, (lite_cjson_t *lite), (lite))
REPLACEABLE(int, lite_cjson_array_item, iotx_port_cjson_array_item,
            (lite_cjson_t *lite, int index, lite_cjson_t *lite_item), (lite, index, lite_item))
REPLACEABLE(int, lite_cjson_object_item, iotx_port_cjson_object_item,
            (lite_cjson_t *lite, const char *key, int key_len, lite_cjson_t *lite_item),
            (lite, key, key_len, lite_item))
REPLACEABLE(int, lite_cjson_object_item_by_index, iotx_port_cjson_object_item_by_index,
            (lite_cjson_t *lite, int index, lite_cjson_t *lite_item_key, lite_cjson_t *lite_item_value),
            (lite, index, lite_item_key, lite_item_value))

/* infra_cjson.h, writing */
REPLACEABLE_VOID(lite_cjson_init_hooks, iotx_port_cjson_init_hooks, (lite_cjson_hooks *hooks), (hooks))
REPLACEABLE(char *, lite_cjson_print, iotx_port_cjson_print, (lite_cjson_item_t *item), (item))
REPLACEABLE(char *, lite_cjson_print_unformatted, iotx_port_cjson_print_unformatted,
            (lite_cjson_item_t *item), (item))
REPLACEABLE_VOID(lite_cjson_delete, iotx_port_cjson_delete, (lite_cjson_item_t *item), (item))
REPLACEABLE_VOID(lite_cjson_add_item_to_array, iotx_port_cjson_add_item_to_array,
                 (lite_cjson_item_t *array, lite_cjson_item_t *item), (array, item))
REPLACEABLE_VOID(lite_cjson_add_item_to_object, iotx_port_cjson_add_item_to_object,
                 (lite_cjson_item_t *object, const char *string, lite_cjson_item_t *item),
                 (object, string, item))
#define CREATE(name, port, parameters, arguments) \
    REPLACEABLE(lite_cjson_item_t *, lite_cjson_create_##name, iotx_port_cjson_create_##port, parameters, \
                arguments)
CREATE(null, null, (void), ())
CREATE(true, true, (void), ())
CREATE(false, false, (void), ())
CREATE(bool, bool, (int b), (b))
CREATE(number, number, (double num), (num))
CREATE(string, string, (const char *string), (string))
CREATE(array, array, (void), ())
CREATE(object, object, (void), ())
CREATE(intArray, int_array, (const int *numbers, int count), (numbers, count))
CREATE(floatArray, float_array, (const float *numbers, int count), (numbers, count))
CREATE(doubleArray, double_array, (const double *numbers, int count), (numbers, count))
CREATE(stringArray, string_array, (const char **strings, int count), (strings, count))

/* infra_json_parser.h */
REPLACEABLE(int, json_parse_name_value, iotx_port_json_parse_name_value,
            (char *p_cJsonStr, int iStrLen, json_parse_cb pfnCB, void *p_CBData),
            (p_cJsonStr, iStrLen, pfnCB, p_CBData))
REPLACEABLE(char *, json_get_value_by_name_len, iotx_port_json_value_by_name,
            (char *p_cJsonStr, int iStrLen, char *p_cName, int p_cNameLen, int *p_iValueLen,
             int *p_iValueType),
            (p_cJsonStr, iStrLen, p_cName, p_cNameLen, p_iValueLen, p_iValueType))

__attribute__((weak)) char *json_get_value_by_name(char *p_cJsonStr, int iStrLen, char *p_cName,
                                                   int *p_iValueLen, int *p_iValueType)
{
    /* A name longer than INT_MAX is in no text that has an int as its length. */
    size_t length = p_cName == NULL ? 0 : strlen(p_cName);

    return iotx_port_json_value_by_name(p_cJsonStr, iStrLen, p_cName,
                                        length > INT_MAX ? 0 : (int)length, p_iValueLen, p_iValueType);
}

char *iotx_port_json_value_of(const char *key, const char *src);

/* The arguments behind src are notes for the SDK's memory statistics. */
__attribute__((weak)) char *LITE_json_value_of(char *key, char *src, ...)
{
    return iotx_port_json_value_of(key, src);
}
