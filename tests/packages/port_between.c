/* A firmware whose port is an archive between the SDK's libraries on the link line: as "port" it is
 * that archive, otherwise the application, which refers to nothing of the HAL itself. */
#include <stdint.h>

#include "infra_compat.h"
#include "mqtt_api.h"

#ifdef PORT
#include "wrappers.h"

int port_was_asked;

uintptr_t HAL_TCP_Establish(const char *host, uint16_t port)
{
    (void)host;
    (void)port;
    port_was_asked++;
    return (uintptr_t)-1;
}

void HAL_SleepMs(uint32_t ms)
{
    (void)ms;
}
#else
#include <stdio.h>

int main(void)
{
    puts(IOT_MQTT_Construct(NULL) == NULL ? "refused" : "connected");
    return 0;
}
#endif
