/* SPDX-License-Identifier: Apache-2.0 */
/* Timers over HAL_UptimeMs, for C parts of the SDK that a firmware keeps. Moments are cut to 32 bits and
 * wrap: time-outs up to 24 days can be told apart. NULL is an expired timer. */
#ifndef _INFRA_TIMER_H_
#define _INFRA_TIMER_H_

#include "infra_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A moment in milliseconds. */
typedef struct {
    uint32_t time;
} iotx_time_t;

/* Sets the timer to now. */
void iotx_time_start(iotx_time_t *timer);

/* Milliseconds since the timer's moment. */
uint32_t utils_time_spend(iotx_time_t *start);

/* Milliseconds until the timer expires, 0 once it has. */
uint32_t iotx_time_left(iotx_time_t *end);

/* 1 if the timer's moment has come, else 0. */
uint32_t utils_time_is_expired(iotx_time_t *timer);

/* Sets the timer to 0. */
void iotx_time_init(iotx_time_t *timer);

/* Lets the timer expire in so many milliseconds. */
void utils_time_countdown_ms(iotx_time_t *timer, uint32_t millisecond);

/* Low 32 bits of the up-time in milliseconds. */
uint32_t utils_time_get_ms(void);

#ifdef __cplusplus
}
#endif

#endif /* _INFRA_TIMER_H_ */
