/* iotx-test: platform
 *
 * Many threads and one client: eight publish and subscribe, two yield, one adds and removes a handler
 * that is being called all the time, handlers call back into the library, and at the end one of them
 * destroys the client under all of them. Once over TCP and once over TLS. Every message must arrive once,
 * in the order of its thread. Under ThreadSanitizer (.ci/sanitize) the same program finds data races.
 *
 * The argument, if any, is the number of messages of each thread.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "infra_compat.h"
#include "infra_state.h"
#include "mqtt_api.h"
#include "wrappers.h"

#define PUBLISHERS  8
#define YIELDERS    2
#define PREFIX      "/a1MZxOdcBnO/example1/user/"
#define WAIT_S      60

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                      \
        }                                                  \
    } while (0)
#define ADD(counter, number) __atomic_add_fetch(&(counter), (number), __ATOMIC_RELAXED)
#define GET(counter)         __atomic_load_n(&(counter), __ATOMIC_ACQUIRE)
#define SET(counter, number) __atomic_store_n(&(counter), (number), __ATOMIC_RELEASE)

static void *client;
static int   messages = 60;
/* What each publisher has got back. Only handlers write it, and they run one after the other. */
static int next_number[PUBLISHERS];
static int arrived, out_of_order, wildcard, inside, wrong, destroyed, ends_seen;
static int done;

static void topic_of(char *topic, size_t size, const char *name, int number)
{
    snprintf(topic, size, PREFIX "%s%d", name, number);
}

static void pause_ms(long ms)
{
    struct timespec time = {0, 0};

    time.tv_nsec = ms * 1000000L;
    nanosleep(&time, NULL);
}

/* A message of a publisher has come back. Now and then the handler calls what it must not be held up by. */
static void on_own(void *context, void *handle, iotx_mqtt_event_msg_pt event)
{
    int                     publisher = (int)(intptr_t)context, number = -1;
    iotx_mqtt_topic_info_pt info = (iotx_mqtt_topic_info_pt)event->msg;
    char                    echo[] = "from inside", topic[64];

    if (event->event_type != IOTX_MQTT_EVENT_PUBLISH_RECEIVED || sscanf(info->payload, "number %d", &number) != 1) {
        ADD(wrong, 1);
        return;
    }
    if (number != next_number[publisher]) {
        ADD(out_of_order, 1);
    }
    next_number[publisher] = number + 1;
    ADD(arrived, 1);
    switch (number % 16) {
        case 1:
            if (IOT_MQTT_Publish_Simple(handle, PREFIX "inside", 0, echo, (int)sizeof(echo)) != 0) {
                ADD(wrong, 1);
            }
            break;
        case 5:
            /* Must come back at once, and is not this thread's business. */
            IOT_MQTT_Yield(handle, 1000);
            break;
        case 9:
            topic_of(topic, sizeof(topic), "extra", publisher);
            if (IOT_MQTT_Subscribe_Sync(handle, topic, IOTX_MQTT_QOS0, on_own, context, 1000) <= 0) {
                ADD(wrong, 1);
            }
            break;
        case 13:
            topic_of(topic, sizeof(topic), "extra", publisher);
            if (IOT_MQTT_CheckStateNormal(handle) != 1 || IOT_MQTT_Unsubscribe(handle, topic) <= 0) {
                ADD(wrong, 1);
            }
            break;
        default:
            break;
    }
}

static void on_inside(void *context, void *handle, iotx_mqtt_event_msg_pt event)
{
    (void)context;
    (void)handle;
    ADD(inside, event->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED);
}

/* Comes and goes while messages for it are under way. */
static void on_anything(void *context, void *handle, iotx_mqtt_event_msg_pt event)
{
    (void)handle;
    ADD(*(int *)context, event->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED);
}

static void on_end(void *context, void *handle, iotx_mqtt_event_msg_pt event)
{
    void *mine = handle;

    (void)context;
    (void)event;
    ADD(ends_seen, 1);
    if (IOT_MQTT_Destroy(&mine) == 0 && mine == NULL) {
        ADD(destroyed, 1);
    }
}

/* Publishes, as long as it takes; the code that ended it. */
static int publish(const char *topic, int qos, const char *text)
{
    for (;;) {
        int code = IOT_MQTT_Publish_Simple(client, topic, qos, (void *)text, (int)strlen(text) + 1);

        if (code != STATE_MQTT_QOS1_REPUB_EXCEED_MAX) {
            return code;
        }
        pause_ms(1);
    }
}

static void *publisher(void *argument)
{
    intptr_t number = (intptr_t)argument;
    char     topic[64], text[32];
    int      i;

    topic_of(topic, sizeof(topic), "thread", (int)number);
    if (IOT_MQTT_Subscribe(client, topic, IOTX_MQTT_QOS1, on_own, argument) <= 0) {
        ADD(wrong, 1);
    }
    for (i = 0; i < messages; i++) {
        snprintf(text, sizeof(text), "number %d", i);
        if (publish(topic, 1, text) <= 0) {
            ADD(wrong, 1);
        }
    }
    return NULL;
}

static void *yielder(void *argument)
{
    (void)argument;
    while (GET(done) == 0) {
        if (IOT_MQTT_Yield(client, 20) != 0) {
            ADD(wrong, 1);
        }
    }
    return NULL;
}

static void *remover(void *argument)
{
    (void)argument;
    while (GET(done) == 0) {
        if (IOT_MQTT_Subscribe(client, PREFIX "+", IOTX_MQTT_QOS3_SUB_LOCAL, on_anything, &wildcard) <= 0) {
            ADD(wrong, 1);
        }
        pause_ms(1);
        if (IOT_MQTT_Unsubscribe(client, PREFIX "+") <= 0) {
            ADD(wrong, 1);
        }
    }
    return NULL;
}

/* Goes on until the client is gone. */
static void *publisher_to_the_end(void *argument)
{
    int code;

    (void)argument;
    do {
        code = IOT_MQTT_Publish_Simple(client, PREFIX "late", 0, (void *)"late", 5);
    } while (code == 0);
    return code == STATE_USER_INPUT_INVALID || code == STATE_MQTT_IN_OFFLINE_STATUS || code == STATE_SYS_DEPEND_NWK_CLOSE
               ? NULL
               : argument;
}

static void *yielder_to_the_end(void *argument)
{
    (void)argument;
    while (IOT_MQTT_Yield(client, 50) == 0) {
    }
    return NULL;
}

static int all_arrive(void)
{
    pthread_t threads[PUBLISHERS], yielders[YIELDERS], removing;
    time_t    end = time(NULL) + WAIT_S;
    intptr_t  i;

    SET(done, 0);
    memset(next_number, 0, sizeof(next_number));
    SET(arrived, 0);
    CHECK(IOT_MQTT_Subscribe(client, PREFIX "inside", IOTX_MQTT_QOS0, on_inside, NULL) > 0);
    for (i = 0; i < YIELDERS; i++) {
        CHECK(pthread_create(&yielders[i], NULL, yielder, NULL) == 0);
    }
    CHECK(pthread_create(&removing, NULL, remover, NULL) == 0);
    for (i = 0; i < PUBLISHERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, publisher, (void *)i) == 0);
    }
    for (i = 0; i < PUBLISHERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    while (GET(arrived) < PUBLISHERS * messages && time(NULL) < end) {
        pause_ms(5);
    }
    SET(done, 1);
    CHECK(pthread_join(removing, NULL) == 0);
    for (i = 0; i < YIELDERS; i++) {
        CHECK(pthread_join(yielders[i], NULL) == 0);
    }
    printf("%d of %d arrived, %d out of order, %d to the handler that comes and goes, %d from inside, %d wrong\n",
           GET(arrived), PUBLISHERS * messages, GET(out_of_order), GET(wildcard), GET(inside), GET(wrong));
    CHECK(GET(arrived) == PUBLISHERS * messages);
    CHECK(GET(out_of_order) == 0 && GET(wrong) == 0 && GET(inside) > 0);
    return 0;
}

static int destroyed_from_inside(void)
{
    pthread_t threads[PUBLISHERS], yielders[YIELDERS];
    void     *answer, *stale = client;
    intptr_t  i;

    SET(destroyed, 0);
    SET(ends_seen, 0);
    CHECK(IOT_MQTT_Subscribe_Sync(client, PREFIX "end", IOTX_MQTT_QOS0, on_end, NULL, 5000) > 0);
    for (i = 0; i < YIELDERS; i++) {
        CHECK(pthread_create(&yielders[i], NULL, yielder_to_the_end, NULL) == 0);
    }
    for (i = 0; i < PUBLISHERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, publisher_to_the_end, (void *)&wrong) == 0);
    }
    CHECK(IOT_MQTT_Publish_Simple(client, PREFIX "end", 0, (void *)"end", 4) == 0);
    for (i = 0; i < PUBLISHERS; i++) {
        CHECK(pthread_join(threads[i], &answer) == 0 && answer == NULL);
    }
    for (i = 0; i < YIELDERS; i++) {
        CHECK(pthread_join(yielders[i], NULL) == 0);
    }
    CHECK(GET(ends_seen) == 1 && GET(destroyed) == 1);
    CHECK(IOT_MQTT_Yield(stale, 1) == STATE_USER_INPUT_INVALID);
    CHECK(IOT_MQTT_CheckStateNormal(stale) == STATE_USER_INPUT_INVALID);
    CHECK(IOT_MQTT_Destroy(&stale) == STATE_USER_INPUT_INVALID);
    return 0;
}

static int over(const char *host, const char *port)
{
    iotx_mqtt_param_t param;

    CHECK(port != NULL && setenv("IOTX_DEMO_PORT", port, 1) == 0);
    memset(&param, 0, sizeof(param));
    param.host = host;
    param.clean_session = 1;
    client = IOT_MQTT_Construct(&param);
    CHECK(client != NULL);
    CHECK(all_arrive() == 0);
    return destroyed_from_inside();
}

int main(int argc, char **argv)
{
    char tls_port[8];

    if (argc > 1 && (messages = atoi(argv[1])) < 16) {
        printf("usage: %s [MESSAGES]   16 or more of each thread\n", argv[0]);
        return 2;
    }
    IOT_SetLogLevel(IOT_LOG_ERROR);
    snprintf(tls_port, sizeof(tls_port), "%s", getenv("IOTX_DEMO_PORT"));
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, (void *)"a1MZxOdcBnO") == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, (void *)"example1") == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, (void *)"jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X") == 0);
    CHECK(over("mqtt://localhost", getenv("IOTX_DEMO_TCP_PORT")) == 0);
    CHECK(over(NULL, tls_port) == 0);
    return 0;
}
