/* The smallest user of libiotx: one connect signature, checked, and one function of the HAL. Valid C99
 * and C++. */
#include <stdio.h>
#include <string.h>

#include "dev_sign_api.h"
#include "infra_compat.h"
#include "wrappers.h"

int main(void)
{
    iotx_dev_meta_info_t device;
    iotx_sign_mqtt_t     sign;

    memset(&device, 0, sizeof(device));
    strcpy(device.product_key, "a1B2c3D4e5F");
    strcpy(device.device_name, "consumer");
    strcpy(device.device_secret, "0123456789abcdef0123456789abcdef");
    if (IOT_Sign_MQTT(IOTX_CLOUD_REGION_SHANGHAI, &device, &sign) != 0) {
        return 1;
    }
    if (strcmp(sign.username, "consumer&a1B2c3D4e5F") != 0 || strlen(sign.password) != 64) {
        return 2;
    }
    if (HAL_UptimeMs() == 0) {
        return 3;
    }
    printf("%s\n", sign.hostname);
    return 0;
}
