/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions that an application may replace by its own definition: weak symbols. */
#ifndef IOTX_SHIM_REPLACEABLE_H
#define IOTX_SHIM_REPLACEABLE_H

/* Defines a replaceable public function that forwards to its Rust counterpart. */
#define REPLACEABLE(result, name, port, parameters, arguments) \
    result port parameters;                                    \
    __attribute__((weak)) result name parameters               \
    {                                                          \
        return port arguments;                                 \
    }
#define REPLACEABLE_VOID(name, port, parameters, arguments) \
    void port parameters;                                   \
    __attribute__((weak)) void name parameters              \
    {                                                       \
        port arguments;                                     \
    }

#endif /* IOTX_SHIM_REPLACEABLE_H */
