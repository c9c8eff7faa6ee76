/* iotx-test: c++ shared valgrind
 *
 * An application's own definitions win over the library's, one by one, and the core uses them.
 */
#include <stdio.h>
#include <string.h>

#include "infra_compat.h"
#include "infra_state.h"
#include "mqtt_api.h"
#include "wrappers.h"

static int      connects;
static int      others;
static int      sleeps;
static int      states;
static uint32_t slept_ms;

#ifdef __cplusplus
extern "C" {
#endif

/* Refuses every connection: the core tries three times, with a pause after each. */
uintptr_t HAL_TCP_Establish(const char *host, uint16_t port)
{
    connects++;
    if (strcmp(host, "override.example.com") != 0 || port != 4711) {
        others++;
    }
    return (uintptr_t)-1;
}

/* Counts instead of sleeping: the test would take seconds otherwise. */
void HAL_SleepMs(uint32_t ms)
{
    sleeps++;
    slept_ms += ms;
}

static int on_state(int code, const char *message)
{
    if (code == STATE_SYS_DEPEND_NWK_CLOSE && message != NULL && message[0] != '\0') {
        states++;
    }
    return 0;
}

#ifdef __cplusplus
}
#endif

#define CHECK(condition)                               \
    do {                                               \
        if (!(condition)) {                            \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                  \
        }                                              \
    } while (0)

int main(void)
{
    iotx_mqtt_param_t param;

    IOT_RegisterCallback(ITE_STATE_EVERYTHING, on_state);
    memset(&param, 0, sizeof(param));
    param.host = "override.example.com";
    param.port = 4711;
    CHECK(IOT_MQTT_Construct(&param) == NULL);
    CHECK(connects == 3);
    CHECK(others == 0);
    CHECK(sleeps >= 2);
    CHECK(slept_ms >= 2000);
    CHECK(states > 0);
    CHECK(IOT_MQTT_Yield(NULL, 10) == STATE_USER_INPUT_INVALID);
    return 0;
}
