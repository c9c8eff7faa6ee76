/*
 * The device of the soak test: two threads, one that yields and one that publishes, subscribes and
 * unsubscribes, against a server that run.py disturbs. Every message has a number. What was accepted
 * with QoS 1 is counted here and looked for at the other end; what the other end sent with QoS 1 is
 * ticked off here.
 *
 * usage: device PORT PRODUCT_KEY DEVICE_NAME DEVICE_SECRET CA_FILE SEED QUIET_MS
 *
 * Standard input: "finish N" ends the traffic and waits until all is acknowledged and N numbers have
 * arrived. Standard output: "sample ..." lines in quiet moments, "event ..." lines, and "result
 * NAME VALUE" lines at the end.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dev_sign_api.h"
#include "infra_compat.h"
#include "infra_state.h"
#include "mqtt_api.h"
#include "wrappers.h"

#define NUMBERS (16 * 1000 * 1000) /* numbers of one direction, at most */
#define LARGEST 60000              /* bytes of the largest payload */
#define FINISH_MS 240000           /* longest wait for the rest at the end */
#define EXTRA_TOPICS 20

extern const char *iotx_ca_crt;

static char product_key[32], device_name[64];
static void *client;
static atomic_bool over;
static atomic_long acknowledged, disconnects, reconnects, refused, granted, too_large;
static atomic_long arrived0, arrived1, again1, spoiled, states, largest_pause;
static uint8_t *seen; /* one bit for each QoS 1 number from the server */
static atomic_long expected_total = -1;
static atomic_bool report_seen;
static long version_reports; /* acknowledgements that are not of this program's messages */

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The library's clock runs faster while there is no connection: so many faults make its waits long,
 * and nothing happens in them. */
#define OFFLINE_EXTRA_MS 300
static _Atomic uint64_t ahead;

uint64_t HAL_UptimeMs(void)
{
    return now_ms() + ahead;
}

static uint32_t random_state;
static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % limit;
}

static void say(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    flockfile(stdout);
    vprintf(format, values);
    putchar('\n');
    fflush(stdout);
    funlockfile(stdout);
    va_end(values);
}

static int entries(const char *folder)
{
    DIR *directory = opendir(folder);
    int count = 0;

    if (directory == NULL) {
        return -1;
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count - 2; /* "." and "..": what the folder itself takes is the same each time */
}

static long resident_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file != NULL) {
        if (fscanf(file, "%*d %ld", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- messages: "<qos> <number> <size> <fill>" ------------------------------------------------- */

static char fill_of(long number)
{
    return (char)('a' + number % 26);
}

static int compose(char *buffer, int qos, long number, int size)
{
    int head;

    /* A longer size may itself need one more digit. */
    while ((head = sprintf(buffer, "%d %ld %d ", qos, number, size)) > size) {
        size = head;
    }
    memset(buffer + head, fill_of(number), (size_t)(size - head));
    return size;
}

/* ---- callbacks --------------------------------------------------------------------------------- */

static void on_message(void *context, void *handle, iotx_mqtt_event_msg_pt message)
{
    iotx_mqtt_topic_info_t *info = message->msg;
    int qos, size, head = 0;
    long number;

    (void)context;
    (void)handle;
    if (message->event_type != IOTX_MQTT_EVENT_PUBLISH_RECEIVED) {
        return;
    }
    if (sscanf(info->payload, "%d %ld %d %n", &qos, &number, &size, &head) != 3 || number < 0 || number >= NUMBERS ||
        size != (int)info->payload_len) {
        spoiled++;
        return;
    }
    for (; head < size; head++) {
        if (info->payload[head] != fill_of(number)) {
            spoiled++;
            return;
        }
    }
    if (qos == 0) {
        arrived0++;
    } else if (seen[number / 8] & 1u << number % 8) {
        again1++;
    } else {
        seen[number / 8] |= (uint8_t)(1u << number % 8);
        arrived1++;
    }
}

static void on_extra(void *context, void *handle, iotx_mqtt_event_msg_pt message)
{
    (void)context;
    (void)handle;
    (void)message;
}

static void on_event(void *context, void *handle, iotx_mqtt_event_msg_pt message)
{
    (void)context;
    (void)handle;
    switch (message->event_type) {
        case IOTX_MQTT_EVENT_DISCONNECT:
            disconnects++;
            break;
        case IOTX_MQTT_EVENT_RECONNECT:
            reconnects++;
            say("event reconnect");
            break;
        case IOTX_MQTT_EVENT_SUBCRIBE_SUCCESS:
            granted++;
            break;
        case IOTX_MQTT_EVENT_SUBCRIBE_NACK:
            refused++;
            break;
        case IOTX_MQTT_EVENT_BUFFER_OVERFLOW:
            too_large++;
            break;
        case IOTX_MQTT_EVENT_PUBLISH_SUCCESS:
            /* The version report has the first packet id of all, and is acknowledged once. */
            if ((uintptr_t)message->msg == 1 && !atomic_exchange(&report_seen, 1)) {
                version_reports = 1;
            } else {
                acknowledged++;
            }
            break;
        default:
            break;
    }
}

static int on_state(const int code, const char *text)
{
    states++;
    if (code < 0 && code != STATE_MQTT_PUB_INFO && code != STATE_MQTT_SUB_INFO && code != STATE_MQTT_CONN_USER_INFO) {
        say("event state -0x%04x %s", -code, text);
    }
    return 0;
}

/* ---- threads ---------------------------------------------------------------------------------- */

static void *yielding(void *unused)
{
    (void)unused;
    while (!over) {
        IOT_MQTT_Yield(client, 100);
        if (IOT_MQTT_CheckStateNormal(client) == 0) {
            ahead += OFFLINE_EXTRA_MS;
        }
    }
    return NULL;
}

static void *listening(void *unused)
{
    char line[64];
    long count;

    (void)unused;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "finish %ld", &count) == 1) {
            expected_total = count;
            return NULL;
        }
    }
    expected_total = 0;
    return NULL;
}

static void sample(uint64_t started, long sent)
{
    struct mallinfo2 heap = mallinfo2();

    say("sample %llu %zu %d %d %ld %ld %ld %ld", (unsigned long long)(now_ms() - started), heap.uordblks + heap.hblkhd,
        entries("/proc/self/fd"), entries("/proc/self/task"), resident_kb(), sent, (long)arrived1, (long)reconnects);
}

/* Waits until everything accepted is acknowledged. */
static int settled(long sent, uint64_t limit_ms)
{
    uint64_t end = now_ms() + limit_ms;

    while (acknowledged < sent || IOT_MQTT_CheckStateNormal(client) != 1) {
        if (now_ms() > end || expected_total >= 0) {
            return 0;
        }
        usleep(2000);
    }
    return 1;
}

static char *load(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 256 * 1024);

    if (file == NULL || text == NULL || fread(text, 1, 256 * 1024 - 1, file) == 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    fclose(file);
    return text;
}

static void toggle_subscription(void)
{
    static int subscribed[EXTRA_TOPICS];
    uint32_t which = random_below(EXTRA_TOPICS);
    char topic[128];

    snprintf(topic, sizeof topic, "/%s/%s/user/extra%u%s", product_key, device_name, which, which % 3 ? "" : "/+");
    if (subscribed[which]) {
        if (IOT_MQTT_Unsubscribe(client, topic) > 0) {
            subscribed[which] = 0;
        }
    } else if (IOT_MQTT_Subscribe(client, topic, (iotx_mqtt_qos_t)(which % 2), on_extra, NULL) > 0) {
        subscribed[which] = 1;
    }
}

int main(int argc, char **argv)
{
    static const int sizes[] = {1, 64, 64, 64, 200, 200, 1000, 2900, 8000, LARGEST};
    char topic0[128], topic1[128], down[128];
    char *payload = malloc(LARGEST + 64);
    iotx_mqtt_param_t param;
    pthread_t yielder, listener;
    long sent0 = 0, sent1 = 0, failed = 0, full = 0, refusals = 0;
    uint64_t started, next_quiet, quiet_ms, before, pause;
    int size, result;

    if (argc != 8 || payload == NULL) {
        fprintf(stderr, "usage: device PORT PRODUCT_KEY DEVICE_NAME DEVICE_SECRET CA_FILE SEED QUIET_MS\n");
        return 2;
    }
    seen = calloc(1, NUMBERS / 8);
    snprintf(product_key, sizeof product_key, "%s", argv[2]);
    snprintf(device_name, sizeof device_name, "%s", argv[3]);
    iotx_ca_crt  = load(argv[5]);
    random_state = (uint32_t)strtoul(argv[6], NULL, 10) * 2654435761u | 1u;
    quiet_ms     = strtoul(argv[7], NULL, 10);
    IOT_SetLogLevel(IOT_LOG_NONE);
    IOT_RegisterCallback(ITE_STATE_EVERYTHING, on_state);
    IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, argv[2]);
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, argv[3]);
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, argv[4]);
    memset(&param, 0, sizeof param);
    param.host                  = "localhost";
    param.port                  = (uint16_t)atoi(argv[1]);
    param.request_timeout_ms    = 2000;
    param.keepalive_interval_ms = 30000;
    param.write_buf_size        = LARGEST + 1024;
    param.read_buf_size         = LARGEST + 1024;
    param.handle_event.h_fp     = on_event;
    client = IOT_MQTT_Construct(&param);
    if (client == NULL) {
        fprintf(stderr, "Construct failed\n");
        return 1;
    }
    snprintf(topic0, sizeof topic0, "/%s/%s/user/up0", product_key, device_name);
    snprintf(topic1, sizeof topic1, "/%s/%s/user/up1", product_key, device_name);
    snprintf(down, sizeof down, "/%s/%s/user/down", product_key, device_name);
    if (IOT_MQTT_Subscribe_Sync(client, down, IOTX_MQTT_QOS1, on_message, NULL, 5000) <= 0) {
        fprintf(stderr, "Subscribe failed\n");
        return 1;
    }
    started    = now_ms();
    next_quiet = started + quiet_ms;
    pthread_create(&yielder, NULL, yielding, NULL);
    pthread_create(&listener, NULL, listening, NULL);
    say("event ready");

    while (expected_total < 0) {
        if (now_ms() >= next_quiet) {
            if (settled(sent1, FINISH_MS)) {
                sample(started, sent1);
            }
            next_quiet = now_ms() + quiet_ms;
        }
        size   = compose(payload, 1, sent1, sizes[random_below(10)]);
        before = now_ms();
        result = IOT_MQTT_Publish_Simple(client, topic1, IOTX_MQTT_QOS1, payload, size);
        pause  = now_ms() - before;
        if ((long)pause > largest_pause) {
            largest_pause = (long)pause;
        }
        if (result > 0) {
            sent1++;
        } else if (result == STATE_MQTT_QOS1_REPUB_EXCEED_MAX) {
            full++;
        } else if (result == STATE_MQTT_IN_OFFLINE_STATUS) {
            failed++;
        } else {
            refusals++;
            say("event publish -0x%04x", -result);
        }
        if (random_below(2) == 0) {
            size = compose(payload, 0, sent0, sizes[random_below(9)]);
            if (IOT_MQTT_Publish_Simple(client, topic0, IOTX_MQTT_QOS0, payload, size) == 0) {
                sent0++;
            }
        }
        if (random_below(20) == 0) {
            toggle_subscription();
        }
        usleep(1000 * (1 + random_below(result > 0 ? 12 : 40)));
    }

    before = now_ms();
    while ((acknowledged < sent1 || arrived1 < expected_total || IOT_MQTT_CheckStateNormal(client) != 1) &&
           now_ms() - before < FINISH_MS) {
        usleep(5000);
    }
    usleep(300000); /* what comes now is a duplicate */
    sample(started, sent1);
    say("result accepted0 %ld", sent0);
    say("result accepted1 %ld", sent1);
    say("result acknowledged1 %ld", (long)acknowledged);
    say("result arrived0 %ld", (long)arrived0);
    say("result arrived1 %ld", (long)arrived1);
    say("result again1 %ld", (long)again1);
    say("result missing1 %ld", (long)(expected_total - arrived1));
    say("result spoiled %ld", (long)spoiled);
    say("result disconnects %ld", (long)disconnects);
    say("result reconnects %ld", (long)reconnects);
    say("result offline %ld", failed);
    say("result full %ld", full);
    say("result broken %ld", refusals);
    say("result granted %ld", (long)granted);
    say("result refused %ld", (long)refused);
    say("result too_large %ld", (long)too_large);
    say("result largest_pause_ms %ld", (long)largest_pause);
    say("result version_reports %ld", version_reports);
    over = 1;
    pthread_join(yielder, NULL);
    result = IOT_MQTT_Destroy(&client);
    say("result destroyed %d", result);
    return 0;
}
