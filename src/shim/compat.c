/* SPDX-License-Identifier: Apache-2.0 */
/* Entry points for sources of older SDK versions (include/compat) that Rust cannot define: they are
 * variadic, or the application may define them itself. */
#include <limits.h>
#include <stddef.h>

#include "wrappers.h"

/* Thread parameters of 2.x: the stack size is a size_t. */
typedef struct {
    hal_os_thread_priority_t priority;
    void *stack_addr;
    size_t stack_size;
    int detach_state;
    char *name;
} iotx_v23_thread_param_t;

/* HAL_ThreadCreate of 2.x. Weak: a port of 2.x defines it under this name. */
int iotx_v23_ThreadCreate(void **thread_handle, void *(*work_routine)(void *), void *arg,
                          iotx_v23_thread_param_t *param, int *stack_used);

__attribute__((weak)) int iotx_v23_ThreadCreate(void **thread_handle, void *(*work_routine)(void *), void *arg,
                                                iotx_v23_thread_param_t *param, int *stack_used)
{
    hal_os_thread_param_t current;

    if (param == NULL) {
        return HAL_ThreadCreate(thread_handle, work_routine, arg, NULL, stack_used);
    }
    current.priority     = param->priority;
    current.stack_addr   = param->stack_addr;
    current.stack_size   = param->stack_size > INT_MAX ? INT_MAX : (int)param->stack_size;
    current.detach_state = param->detach_state;
    current.name         = param->name;
    return HAL_ThreadCreate(thread_handle, work_routine, arg, &current, stack_used);
}
