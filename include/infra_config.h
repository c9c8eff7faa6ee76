/* SPDX-License-Identifier: Apache-2.0 */
/* The one public configuration of the library. The Link SDK lets compiler macros change enum
 * values and declarations; this library is built for one set, and no macro changes these
 * headers. */
#ifndef _INFRA_CONFIG_H_
#define _INFRA_CONFIG_H_

/* The set: dynamic memory, stdint types, TLS, device signing, MQTT, dynamic registration, event
 * numbers without DEVICE_MODEL_SHADOW, `module` in the device description, enums of int size.
 * infra_config.h defines no feature macro itself, so that the macros of a firmware build keep
 * their meaning for the firmware's own sources. */

/* The release of the Link SDK whose interface these headers offer: major, minor, patch. The headers
 * of older releases in compat/ say theirs first, which selects what they had. */
#ifndef IOTX_SDK_ABI_MAJOR
#define IOTX_SDK_ABI_MAJOR 3
#define IOTX_SDK_ABI_MINOR 2
#define IOTX_SDK_ABI_PATCH 0
#endif

/* Fails to compile where enums are shorter than int (-fshort-enums): such firmware would disagree
 * with the library about structure layouts. */
enum iotx_enum_size_probe { IOTX_ENUM_SIZE_PROBE = 0 };
typedef char
    iotx_enums_must_have_int_size[sizeof(enum iotx_enum_size_probe) == sizeof(int) ? 1 : -1];

#endif /* _INFRA_CONFIG_H_ */
