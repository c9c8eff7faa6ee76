/* SPDX-License-Identifier: Apache-2.0 */
/* DTLS contract of ports. The functions are provided by the port. */
#ifndef _WRAPPERS_DTLS_H_
#define _WRAPPERS_DTLS_H_

#include "infra_types.h"
#include "infra_defs.h"
#include "wrappers_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

DTLSContext *HAL_DTLSSession_create(coap_dtls_options_t *p_options);
unsigned int HAL_DTLSSession_write(
    DTLSContext *context, const unsigned char *p_data, unsigned int *p_datalen);
unsigned int HAL_DTLSSession_read(
    DTLSContext *context, unsigned char *p_data, unsigned int *p_datalen, unsigned int timeout);
unsigned int HAL_DTLSSession_free(DTLSContext *context);

#ifdef __cplusplus
}
#endif

#endif /* _WRAPPERS_DTLS_H_ */
