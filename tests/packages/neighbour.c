/* A program with a second Rust runtime, see neighbour.rs. */
#include "dev_sign_api.h"
#include "wrappers.h"

int neighbour_panics(int value);

int main(void)
{
    if (neighbour_panics(-5) != -5 || neighbour_panics(5) != -1) {
        return 1;
    }
    if (IOT_Sign_MQTT(IOTX_CLOUD_REGION_SHANGHAI, NULL, NULL) == 0) {
        return 2;
    }
    return HAL_UptimeMs() == 0 ? 3 : 0;
}
