/* iotx-test: c++ shared valgrind
 *
 * A device model kept in C defines a function for each option of IOT_Ioctl that it handles: the library calls
 * it, static and shared. Options without such a function behave as in a program without a device model.
 */
#include <stdio.h>
#include <string.h>

#include "infra_compat.h"

static void *seen;
static int   which, answer;

#define HANDLER(option)                                 \
    int IOCTL_FUNC(option, void *data)                  \
    {                                                   \
        seen  = data;                                   \
        which = option;                                 \
        return answer;                                  \
    }

#ifdef __cplusplus
extern "C" {
#endif
HANDLER(IOTX_IOCTL_RECV_PROP_REPLY)
HANDLER(IOTX_IOCTL_FOTA_TIMEOUT_MS)
HANDLER(IOTX_IOCTL_SET_CUSTOMIZE_INFO)
HANDLER(IOTX_IOCTL_SET_MQTT_PORT)
HANDLER(IOTX_IOCTL_QUERY_DEVID)
HANDLER(IOTX_IOCTL_SUB_USER_TOPIC)
#ifdef __cplusplus
}
#endif

/* Whether the option `number` reaches the function of the option `handled`, and its answer the caller. */
static int reaches(int number, int handled)
{
    int value = 1;

    for (answer = -3; answer <= 3; answer += 3) {
        seen  = NULL;
        which = -1;
        if (IOT_Ioctl(number, &value) != answer || which != handled || seen != &value) {
            printf("option %d: answer %d, function %d\n", number, answer, which);
            return 0;
        }
    }
    return 1;
}

int main(void)
{
    int      value = 1;
    uint16_t port = 8883;

    if (!reaches(IOTX_IOCTL_RECV_PROP_REPLY, IOTX_IOCTL_RECV_PROP_REPLY)
        || !reaches(IOTX_IOCTL_RECV_EVENT_REPLY, IOTX_IOCTL_RECV_PROP_REPLY)
        || !reaches(IOTX_IOCTL_FOTA_TIMEOUT_MS, IOTX_IOCTL_FOTA_TIMEOUT_MS)
        || !reaches(IOTX_IOCTL_SET_CUSTOMIZE_INFO, IOTX_IOCTL_SET_CUSTOMIZE_INFO)
        || !reaches(IOTX_IOCTL_QUERY_DEVID, IOTX_IOCTL_QUERY_DEVID)
        || !reaches(IOTX_IOCTL_SUB_USER_TOPIC, IOTX_IOCTL_SUB_USER_TOPIC)) {
        return 1;
    }
    which = -1;
    /* No function for these. */
    if (IOT_Ioctl(IOTX_IOCTL_SEND_PROP_SET_REPLY, &value) != 0 || IOT_Ioctl(IOTX_IOCTL_SET_OTA_DEV_ID, &value) != -1
        || IOT_Ioctl(IOTX_IOCTL_SET_PROXY_REGISTER, &value) != -1 || IOT_Ioctl(IOTX_IOCTL_FOTA_TIMEOUT_MS, NULL) != -1
        || which != -1) {
        puts("an option without a function");
        return 1;
    }
    /* The library keeps the port too. */
    if (IOT_Ioctl(IOTX_IOCTL_SET_MQTT_PORT, &port) != 0 || which != IOTX_IOCTL_SET_MQTT_PORT || seen != &port) {
        puts("port");
        return 1;
    }
    puts("ok");
    return 0;
}
