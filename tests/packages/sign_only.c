/* Calls one function of the library; the linker can drop all others. */
#include <string.h>

#include "dev_sign_api.h"
#include "infra_compat.h"

int main(void)
{
    iotx_dev_meta_info_t device;
    iotx_sign_mqtt_t     sign;

    memset(&device, 0, sizeof(device));
    strcpy(device.product_key, "a1B2c3D4e5F");
    strcpy(device.device_name, "small");
    strcpy(device.device_secret, "0123456789abcdef0123456789abcdef");
    return IOT_Sign_MQTT(IOTX_CLOUD_REGION_SHANGHAI, &device, &sign);
}
