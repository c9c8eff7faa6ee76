/* A firmware that refers to nothing of the HAL itself: says whose HAL it got. */
#include <stdio.h>

#include "iotx.h"

int main(void)
{
    char whose[80];

    if (iotx_hal_in_use(whose, (int)sizeof(whose)) < 0) {
        return 1;
    }
    IOT_SetLogLevel(IOT_LOG_NONE);
    if (IOT_MQTT_CheckStateNormal(NULL) == 1) {
        return 2;
    }
    puts(whose);
    return 0;
}
