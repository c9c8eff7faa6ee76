/* Benchmark peer on the SDK's API. */
#include "peer.h"

#include <pthread.h>

#include "dev_sign_api.h"
#include "infra_compat.h"
#include "infra_state.h"
#include "mqtt_api.h"
#include "wrappers.h"

static volatile int acknowledged;
static volatile int stopping;
static int received;
static double first_at, last_at;
static char *answer;
static int answer_size, answer_until;

static void on_event(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    (void)context;
    (void)client;
    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_SUCCESS) {
        acknowledged++;
    }
}

static void on_message(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    (void)context;
    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED) {
        last_at = bench_now();
        if (received++ == 0) {
            first_at = last_at;
        }
        if (answer != NULL && received < answer_until) {
            IOT_MQTT_Publish_Simple(client, BENCH_TOPIC, 0, answer, answer_size);
        }
    }
}

/* As an application with QoS 1 traffic would: one thread reads, another publishes. */
static void *reader(void *client)
{
    while (!stopping) {
        IOT_MQTT_Yield(client, 20);
    }
    return NULL;
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 65536);
    if (file == NULL || text == NULL || fread(text, 1, 65535, file) == 0) {
        bench_fail("CA file");
    }
    fclose(file);
    return text;
}

static void *construct(const bench_args *a, const char *ca)
{
    iotx_mqtt_param_t param;
    char host[300];
    memset(&param, 0, sizeof param);
    snprintf(host, sizeof host, "%s%s", ca == NULL ? "mqtt://" : "", a->host);
    param.host = host;
    param.port = (uint16_t)a->port;
    param.pub_key = ca;
    param.clean_session = 1;
    param.write_buf_size = 65536;
    param.read_buf_size = 65536;
    param.handle_event.h_fp = on_event;
    return IOT_MQTT_Construct(&param);
}

int main(int argc, char **argv)
{
    bench_args a = bench_parse(argc, argv);
    char *ca = a.ca_file == NULL ? NULL : read_file(a.ca_file);
    char *payload = calloc(1, (size_t)a.size + 1);
    void *client = NULL;
    double start;
    int i, sent_before;

    IOT_SetLogLevel(IOT_LOG_NONE);
    IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, (void *)"bench");
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, (void *)"iotx");
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, (void *)"secret");
    memset(payload, 'x', (size_t)a.size);

    if (strcmp(a.mode, "connect") == 0) {
        start = bench_now();
        for (i = 0; i < a.count; i++) {
            client = construct(&a, ca);
            if (client == NULL) {
                bench_fail("Construct");
            }
            IOT_MQTT_Destroy(&client);
        }
        bench_report(&a, bench_now() - start);
        return 0;
    }
    client = construct(&a, ca);
    if (client == NULL) {
        bench_fail("Construct");
    }
    while (acknowledged == 0) { /* the version report */
        IOT_MQTT_Yield(client, 10);
    }
    if (strcmp(a.mode, "pub0") == 0) {
        start = bench_now();
        for (i = 0; i < a.count; i++) {
            if (IOT_MQTT_Publish_Simple(client, BENCH_TOPIC, 0, payload, a.size) < 0) {
                bench_fail("Publish");
            }
        }
        bench_report(&a, bench_now() - start);
    } else if (strcmp(a.mode, "pub1") == 0) {
        struct timespec pause = {0, 20000};
        pthread_t thread;

        sent_before = acknowledged;
        pthread_create(&thread, NULL, reader, client);
        start = bench_now();
        for (i = 0; i < a.count;) {
            int code = IOT_MQTT_Publish_Simple(client, BENCH_TOPIC, 1, payload, a.size);
            if (code > 0) {
                i++;
            } else if (code == STATE_MQTT_QOS1_REPUB_EXCEED_MAX) {
                nanosleep(&pause, NULL); /* the window of 128 is full */
            } else {
                bench_fail("Publish");
            }
        }
        while (acknowledged - sent_before < a.count) {
            nanosleep(&pause, NULL);
        }
        bench_report(&a, bench_now() - start);
        stopping = 1;
        pthread_join(thread, NULL);
    } else if (strcmp(a.mode, "flood") == 0) {
        if (IOT_MQTT_Subscribe_Sync(client, BENCH_TOPIC, IOTX_MQTT_QOS0, on_message, NULL, 5000) < 0) {
            bench_fail("Subscribe");
        }
        puts("READY");
        fflush(stdout);
        start = bench_now();
        while (received < a.count && bench_now() - start < 60) {
            IOT_MQTT_Yield(client, 20);
        }
        if (received < a.count) {
            bench_fail("messages lost");
        }
        bench_report(&a, last_at - first_at);
    } else if (strcmp(a.mode, "rtt") == 0) {
        if (IOT_MQTT_Subscribe_Sync(client, BENCH_TOPIC, IOTX_MQTT_QOS0, on_message, NULL, 5000) < 0) {
            bench_fail("Subscribe");
        }
        /* Yield lasts its whole time, so each message is answered in the handler of the last. */
        answer = payload;
        answer_size = a.size;
        answer_until = a.count;
        start = bench_now();
        IOT_MQTT_Publish_Simple(client, BENCH_TOPIC, 0, payload, a.size);
        while (received < a.count && bench_now() - start < 60) {
            IOT_MQTT_Yield(client, 10);
        }
        if (received < a.count) {
            bench_fail("messages lost");
        }
        bench_report(&a, last_at - start);
    } else {
        bench_fail("unknown mode");
    }
    IOT_MQTT_Destroy(&client);
    return 0;
}
