/* iotx-test: c++ shared valgrind
 *
 * The helpers that C parts kept from the SDK use, but for JSON, with good and bad input. Time stands still:
 * the program brings its own HAL_UptimeMs. The log is collected.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "infra_compat.h"
#include "infra_list.h"
#include "infra_log.h"
#include "infra_report.h"
#include "infra_timer.h"
#include "iotx.h"

static uint64_t clock_ms;
static char     lines[4096];
static char     reported_topic[128], reported[512];
static int      report_result, report_ack;

#ifdef __cplusplus
extern "C" {
#endif
uint64_t HAL_UptimeMs(void) { return clock_ms; }

int HAL_GetFirmwareVersion(char *version)
{
    strcpy(version, "fw-\"1\"");
    return (int)strlen(version);
}

void iotx_log_write(const char *line)
{
    size_t used = strlen(lines);

    snprintf(lines + used, sizeof(lines) - used, "%s\n", line);
}

static int send_report(void *handle, const char *topic, int req_ack, void *data, int len)
{
    snprintf(reported_topic, sizeof(reported_topic), "%s", topic);
    snprintf(reported, sizeof(reported), "%s %.*s", (const char *)handle, len, (const char *)data);
    report_ack = req_ack;
    return report_result;
}

#ifdef __cplusplus
}
#endif

#define CHECK(condition)                               \
    do {                                               \
        if (!(condition)) {                            \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                  \
        }                                              \
    } while (0)

static int timers(void)
{
    iotx_time_t timer;

    clock_ms = ((uint64_t)7 << 32) + 0xFFFFFF00u;
    CHECK(utils_time_get_ms() == 0xFFFFFF00u);
    iotx_time_start(&timer);
    CHECK(timer.time == 0xFFFFFF00u && utils_time_spend(&timer) == 0);
    CHECK(utils_time_is_expired(&timer) == 1);
    clock_ms += 0x200;
    CHECK(utils_time_spend(&timer) == 0x200);
    clock_ms = ((uint64_t)8 << 32) + 0xFFFFFF00u; /* time never goes back */
    /* Across the wrap. */
    utils_time_countdown_ms(&timer, 0x200);
    CHECK(timer.time == 0x100);
    CHECK(utils_time_is_expired(&timer) == 0 && iotx_time_left(&timer) == 0x200);
    clock_ms += 0x1FF;
    CHECK(utils_time_is_expired(&timer) == 0 && iotx_time_left(&timer) == 1);
    clock_ms += 1;
    CHECK(utils_time_is_expired(&timer) == 1 && iotx_time_left(&timer) == 0);
    /* The two agree about every distance. */
    utils_time_countdown_ms(&timer, 0x80000000u);
    CHECK((iotx_time_left(&timer) == 0) == (utils_time_is_expired(&timer) == 1));
    utils_time_countdown_ms(&timer, 0x80000001u);
    CHECK((iotx_time_left(&timer) == 0) == (utils_time_is_expired(&timer) == 1));
    utils_time_countdown_ms(&timer, 0x80000002u);
    CHECK((iotx_time_left(&timer) == 0) == (utils_time_is_expired(&timer) == 1));
    iotx_time_init(&timer);
    CHECK(timer.time == 0);

    iotx_time_start(NULL);
    iotx_time_init(NULL);
    utils_time_countdown_ms(NULL, 5);
    CHECK(utils_time_spend(NULL) == 0 && iotx_time_left(NULL) == 0);
    CHECK(utils_time_is_expired(NULL) == 1);
    return 0;
}

static int reports(void)
{
    char client[] = "me", pk[] = "a1pk", dn[] = "dn", module[] = "mcu";
    int  first;

    first = iotx_report_id();
    CHECK(first > 0 && iotx_report_id() == first + 1);
    CHECK(iotx_report_firmware_version(client) == -1);
    CHECK(iotx_report_devinfo(client) == -1);
    CHECK(iotx_report_mid(client) == 0);
    iotx_set_report_func(send_report);
    /* No names yet. */
    CHECK(iotx_report_firmware_version(client) == -1 && reported[0] == '\0');
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, pk) == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, dn) == 0);
    report_result = 5;
    CHECK(iotx_report_firmware_version(client) == 0);
    CHECK(strcmp(reported_topic, "/ota/device/inform/a1pk/dn") == 0 && report_ack == 1);
    CHECK(strstr(reported, "me {\"id\":\"") == reported);
    CHECK(strstr(reported, "\"params\":{\"version\":\"fw-\\\"1\\\"\"}}") != NULL);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_MODULE, module) == 0);
    report_result = -7;
    CHECK(iotx_report_firmware_version(client) == -7);
    CHECK(strstr(reported, "\"module\":\"mcu\"") != NULL);
    CHECK(iotx_report_devinfo(client) == -1);
    report_result = 0;
    CHECK(iotx_report_devinfo(client) == 0);
    CHECK(strcmp(reported_topic, "/sys/a1pk/dn/thing/deviceinfo/update") == 0);
    CHECK(strstr(reported, "\"method\":\"thing.deviceinfo.update\"") != NULL);
    CHECK(strstr(reported, "SYS_LP_SDK_VERSION\",\"attrValue\":\"" IOTX_SDK_VERSION "\"") != NULL);
    iotx_set_report_func(NULL);
    CHECK(iotx_report_devinfo(client) == -1);
    return 0;
}

static int say(int level, const char *format, ...)
{
    va_list arguments;
    char    module[] = "mod";

    va_start(arguments, format);
    LITE_syslog_routine(module, "say", 3, level, format, &arguments);
    va_end(arguments);
    return 0;
}

static int logging(void)
{
    char module[] = "mod", hostile[] = "%s%n%99999d\x1b[31m\nforged";
    char payload[] = "POST / HTTP/1.1\r\nHost: a\r\n\r\nbody", long_text[2000];
    unsigned char bytes[18] = {0, 'A', 'B', 0xFF};

    LITE_set_loglevel(-3);
    CHECK(LITE_get_loglevel() == LOG_NONE_LEVEL);
    LITE_syslog(module, "f", 1, LOG_CRIT_LEVEL, "x");
    CHECK(LITE_hexdump("t", bytes, 4) == 0);
    CHECK(lines[0] == '\0');
    LITE_set_loglevel(99);
    CHECK(LITE_get_loglevel() == LOG_FLOW_LEVEL);
    LITE_syslog(module, "f", 1, LOG_FLOW_LEVEL, "flows");
    CHECK(strcmp(lines, "[flow] mod: f(1): flows\n") == 0);
    LITE_set_loglevel(LOG_WARNING_LEVEL);
    lines[0] = '\0';
    LITE_syslog(module, "f", 1, LOG_INFO_LEVEL, "quiet");
    LITE_syslog(module, "f", 1, LOG_NONE_LEVEL, "quiet");
    LITE_syslog(module, "f", 1, -1, "quiet");
    CHECK(log_multi_line_internal("f", 1, "t", LOG_INFO_LEVEL, payload, ">") == 1);
    LITE_rich_hexdump("f", 1, LOG_INFO_LEVEL, "t", bytes, 4);
    CHECK(lines[0] == '\0');
    LITE_syslog(module, "f", 12, LOG_ERR_LEVEL, "%s is %d\r\n", "a", 7);
    CHECK(strcmp(lines, "[error] mod: f(12): a is 7\n") == 0);
    lines[0] = '\0';
    say(LOG_WARNING_LEVEL, "%d", 4);
    CHECK(strcmp(lines, "[warning] mod: say(3): 4\n") == 0);

    /* Text from outside is an argument, one line, and cut. */
    lines[0] = '\0';
    LITE_syslog(module, "f", 1, LOG_CRIT_LEVEL, "%s", hostile);
    CHECK(strcmp(lines, "[critical] mod: f(1): %s%n%99999d?[31m?forged\n") == 0);
    lines[0] = '\0';
    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    LITE_syslog(module, long_text, 1, LOG_ERR_LEVEL, "%s", long_text);
    CHECK(strlen(lines) <= 512 && strstr(lines, "...\n") != NULL);
    lines[0] = '\0';
    LITE_syslog(NULL, NULL, 1, LOG_ERR_LEVEL, NULL);
    LITE_syslog_routine(NULL, NULL, 1, LOG_ERR_LEVEL, "x", NULL);
    CHECK(strcmp(lines, "[error] : (1):\n") == 0 || strcmp(lines, "[error] : (1): \n") == 0);

    lines[0] = '\0';
    CHECK(log_multi_line_internal("f", 1, "request", LOG_ERR_LEVEL, payload, ">") == 0);
    CHECK(strstr(lines, "f(1): request (Length: 32 Bytes)\n> POST / HTTP/1.1\n> Host: a\n> \n> body\n") != NULL);
    CHECK(log_multi_line_internal(NULL, 1, NULL, LOG_ERR_LEVEL, NULL, NULL) == 0);
    lines[0] = '\0';
    LITE_rich_hexdump("f", 1, LOG_ERR_LEVEL, "bytes", bytes, (int)sizeof(bytes));
    CHECK(strstr(lines, "[error] f(1): dump of bytes\n| bytes: (len=18) |\n") == lines);
    CHECK(strstr(lines, "\n| 00000000: 0041 42FF 0000 0000 0000 0000 0000 0000  .AB.............\n") != NULL);
    CHECK(strstr(lines, "\n| 00000010: 0000 ") != NULL);
    CHECK(LITE_hexdump(NULL, NULL, 4) == 0 && LITE_hexdump("t", bytes, -1) == 0);

    lines[0] = '\0';
    log_err("mod", "left out without INFRA_LOG");
    CHECK(lines[0] == '\0');
    IOT_SetLogLevel(IOT_LOG_ERROR);
    CHECK(LITE_get_loglevel() == LOG_ERR_LEVEL);
    return 0;
}

struct job {
    int         number;
    list_head_t linked;
    slist_t     chained;
};

static int lists(void)
{
    struct job  jobs[3] = {{1, {NULL, NULL}, {NULL}}, {2, {NULL, NULL}, {NULL}}, {3, {NULL, NULL}, {NULL}}};
    struct job *job, *behind;
    slist_t    *tmp;
    dlist_t    *at;
    int         sum = 0, each;
    LIST_HEAD(ring);
    AOS_SLIST_HEAD(chain);

    CHECK(list_empty(&ring) && slist_empty(&chain));
    list_for_each_entry(job, &ring, linked, struct job) { sum = 99; }
    slist_for_each_entry(&chain, job, struct job, chained) { sum = 99; }
    CHECK(sum == 0);
    for (each = 0; each < 3; each++) {
        list_add_tail(&jobs[each].linked, &ring);
        slist_add_tail(&jobs[each].chained, &chain);
    }
    CHECK(list_entry_number(&ring) == 3 && slist_entry_number(&chain) == 3);
    CHECK(list_first_entry(&ring, struct job, linked) == &jobs[0]);
    CHECK(list_is_last(&jobs[2].linked, &ring) && !list_is_last(&jobs[0].linked, &ring));
    CHECK(list_next_entry(&jobs[0], linked, struct job) == &jobs[1]);
    list_for_each_entry(job, &ring, linked, struct job) { sum = sum * 10 + job->number; }
    CHECK(sum == 123);
    sum = 0;
    list_for_each_entry_reverse(job, &ring, linked, struct job) { sum = sum * 10 + job->number; }
    CHECK(sum == 321);
    sum = 0;
    slist_for_each_entry(&chain, job, struct job, chained) { sum = sum * 10 + job->number; }
    CHECK(sum == 123);
    sum = 0;
    list_for_each(at, &ring) { sum += list_entry(at, struct job, linked)->number; }
    CHECK(sum == 6);
    slist_for_each_entry_safe(&chain, tmp, job, struct job, chained)
    {
        slist_del(&job->chained, &chain);
        job->chained.next = NULL;
    }
    CHECK(slist_empty(&chain) && slist_first_entry(&chain, struct job, chained) == NULL);
    list_for_each_entry_safe(job, behind, &ring, linked, struct job)
    {
        if (job->number == 2) {
            list_del_init(&job->linked);
        }
    }
    CHECK(list_entry_number(&ring) == 2 && list_empty(&jobs[1].linked));
    dlist_for_each_entry_safe(&ring, at, job, struct job, linked) { list_del(&job->linked); }
    CHECK(list_empty(&ring));
    list_add(&jobs[0].linked, &ring);
    list_add(&jobs[1].linked, &ring);
    CHECK(list_first_entry(&ring, struct job, linked) == &jobs[1]);
    return 0;
}

int main(void)
{
    IOT_SetLogLevel(IOT_LOG_NONE);
    lines[0] = '\0';
    if (timers() || reports() || logging() || lists()) {
        return 1;
    }
    puts("ok");
    return 0;
}
