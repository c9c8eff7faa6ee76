/* SPDX-License-Identifier: Apache-2.0 */
/* The whole hardware abstraction layer of the library. The contracts of further groups are
 * included with the macros of the Link SDK. */
#ifndef _WRAPPERS_H_
#define _WRAPPERS_H_

#include "infra_types.h"
#include "infra_defs.h"
#include "wrappers_defs.h"
#include "wrappers_os.h"
#include "wrappers_tcp.h"
#include "wrappers_tls.h"
#include "wrappers_kv.h"

#if defined(COAP_CLIENT) || defined(COAP_SERVER)
#include "wrappers_udp.h"
#endif
#if defined(COAP_DTLS_SUPPORT)
#include "wrappers_dtls.h"
#endif
#if defined(FS_ENABLED)
#include "wrappers_fs.h"
#endif

#endif /* _WRAPPERS_H_ */
