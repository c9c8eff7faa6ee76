/* SPDX-License-Identifier: Apache-2.0 */
/* Messages about the device itself, for C parts of the SDK that a firmware keeps. */
#ifndef _INFRA_REPORT_H_
#define _INFRA_REPORT_H_

#include "infra_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef VERSION_NUM_SIZE
#define VERSION_NUM_SIZE                 4
#endif
#ifndef RANDOM_NUM_SIZE
#define RANDOM_NUM_SIZE                  4
#endif
#ifndef MAC_ADDRESS_SIZE
#define MAC_ADDRESS_SIZE                 8
#endif
#ifndef CHIP_CODE_SIZE
#define CHIP_CODE_SIZE                   4
#endif
#define AOS_ACTIVE_INFO_LEN              81

#define MIDREPORT_PAYLOAD_LEN            (62 + IOTX_PARTNER_ID_LEN + IOTX_MODULE_ID_LEN + 32 + 1)
#define MIDREPORT_REQID_LEN              (IOTX_PRODUCT_KEY_LEN + IOTX_DEVICE_NAME_LEN + 6)
#define AOS_VERSON_MSG_LEN               256
#define LINKKIT_VERSION_MSG_LEN          192
#define FIRMWARE_VERSION_MSG_LEN         (64 + IOTX_MODULE_LEN)

typedef enum {
    ACTIVE_SUBDEV,
    ACTIVE_SINGLE_GW
} active_device_type_t;

typedef enum {
    ACTIVE_LINKKIT_ONLY,
    ACTIVE_LINKKIT_AOS,
    ACTIVE_LINKKIT_OTHERS
} active_system_type_t;

/* Sends one message: client, topic, 1 if it is to be acknowledged, payload and its length in bytes.
 * A negative result is a failure. */
typedef int (*info_report_func_pt)(void *handle, const char *topic_name, int req_ack, void *data,
                                   int len);

/* The next number of a message, 1 to INT_MAX. The library's own reports use the same row. */
int iotx_report_id(void);

/* Sets the function the reports below are sent with; NULL removes it. */
void iotx_set_report_func(info_report_func_pt func);

/* Reports SDK version and language. Returns 0, or -1 without function or device names, or when the
 * function fails. */
int iotx_report_devinfo(void *pclient);

/* Reports nothing and returns 0. */
int iotx_report_mid(void *pclient);

/* Reports what HAL_GetFirmwareVersion says. Returns 0; -1 without function, device names or version;
 * what the function returned if it failed. */
int iotx_report_firmware_version(void *pclient);

#ifdef __cplusplus
}
#endif

#endif /* _INFRA_REPORT_H_ */
