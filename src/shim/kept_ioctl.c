/* SPDX-License-Identifier: Apache-2.0 */
/* Options of IOT_Ioctl that a kept device model handles. Its sources define a function per option,
 * named by IOCTL_FUNC; the references are weak, so that a program without them links. */
#include <stddef.h>

#include "infra_compat.h"

#define HANDLER(option) __attribute__((weak)) int IOCTL_FUNC(option, void *data)

HANDLER(IOTX_IOCTL_RECV_PROP_REPLY);
HANDLER(IOTX_IOCTL_SEND_PROP_SET_REPLY);
HANDLER(IOTX_IOCTL_SET_OTA_DEV_ID);
HANDLER(IOTX_IOCTL_FOTA_TIMEOUT_MS);
HANDLER(IOTX_IOCTL_SET_CUSTOMIZE_INFO);
HANDLER(IOTX_IOCTL_SET_MQTT_PORT);
HANDLER(IOTX_IOCTL_SET_PROXY_REGISTER);
HANDLER(IOTX_IOCTL_QUERY_DEVID);
HANDLER(IOTX_IOCTL_SUB_USER_TOPIC);

int iotx_kept_ioctl(int option, void *data, int *result);

#define CASE(option)                                \
    case option:                                    \
        handler = iotx_ioctl_##option;              \
        break;

/* Lets the device model handle the option. Returns 1 and its result, or 0 when it does not know it. */
int iotx_kept_ioctl(int option, void *data, int *result)
{
    int (*handler)(void *) = NULL;

    switch (option) {
        CASE(IOTX_IOCTL_RECV_PROP_REPLY)
        CASE(IOTX_IOCTL_SEND_PROP_SET_REPLY)
        CASE(IOTX_IOCTL_SET_OTA_DEV_ID)
        CASE(IOTX_IOCTL_FOTA_TIMEOUT_MS)
        CASE(IOTX_IOCTL_SET_CUSTOMIZE_INFO)
        CASE(IOTX_IOCTL_SET_MQTT_PORT)
        CASE(IOTX_IOCTL_SET_PROXY_REGISTER)
        CASE(IOTX_IOCTL_QUERY_DEVID)
        CASE(IOTX_IOCTL_SUB_USER_TOPIC)
        /* The device model has one switch for both. */
        case IOTX_IOCTL_RECV_EVENT_REPLY:
            handler = iotx_ioctl_IOTX_IOCTL_RECV_PROP_REPLY;
            break;
        default:
            break;
    }
    if (handler == NULL) {
        return 0;
    }
    *result = handler(data);
    return 1;
}
