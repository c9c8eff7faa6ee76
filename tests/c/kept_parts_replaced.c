/* iotx-test: c++ shared
 *
 * Firmware that still compiles the SDK's own helpers: its definitions link beside the library's, static and
 * shared, and are the ones that are called.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "infra_cjson.h"
#include "infra_compat.h"
#include "infra_json_parser.h"
#include "infra_log.h"
#include "infra_report.h"
#include "infra_timer.h"

static int calls;

#ifdef __cplusplus
extern "C" {
#endif
/* One of each file: infra_timer.c, infra_report.c, infra_cjson.c, infra_json_parser.c, infra_log.c. */
void iotx_time_init(iotx_time_t *timer) { timer->time = 42; calls++; }
int iotx_report_id(void) { calls++; return 42; }
int lite_cjson_parse(const char *src, int src_len, lite_cjson_t *lite)
{
    (void)src;
    lite->size = src_len;
    calls++;
    return 42;
}
void lite_cjson_delete(lite_cjson_item_t *item) { (void)item; calls++; }
char *LITE_json_value_of(char *key, char *src, ...) { (void)src; calls++; return key; }
char *json_get_value_by_name(char *text, int len, char *name, int *value_len, int *value_type)
{
    (void)text;
    (void)len;
    (void)value_len;
    (void)value_type;
    calls++;
    return name;
}
void LITE_syslog(char *m, const char *f, const int l, const int level, const char *fmt, ...)
{
    (void)m;
    (void)f;
    (void)l;
    (void)level;
    (void)fmt;
    calls++;
}
void IOT_SetLogLevel(IOT_LogLevel level) { (void)level; calls++; }
#ifdef __cplusplus
}
#endif

int main(void)
{
    iotx_time_t  timer = {0};
    lite_cjson_t value;
    char         text[] = "{}";

    memset(&value, 0, sizeof(value));
    iotx_time_init(&timer);
    IOT_SetLogLevel(IOT_LOG_ERROR);
    LITE_syslog(text, "f", 1, 1, "%d", 1);
    lite_cjson_delete(NULL);
    if (timer.time != 42 || iotx_report_id() != 42 || lite_cjson_parse(text, 2, &value) != 42 || value.size != 2
        || LITE_json_value_of(text, text) != text
        || json_get_value_by_name(text, 2, text, NULL, NULL) != text || calls != 8) {
        printf("%d calls\n", calls);
        return 1;
    }
    /* What is not replaced is still there. */
    utils_time_countdown_ms(&timer, 100000);
    if (utils_time_is_expired(&timer) || lite_cjson_is_array(&value) != 0 || LITE_get_loglevel() != LOG_INFO_LEVEL) {
        puts("the library's own helpers fail");
        return 1;
    }
    puts("ok");
    return 0;
}
