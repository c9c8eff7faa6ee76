/* SPDX-License-Identifier: Apache-2.0 */
/* String helpers used by ports. */
#ifndef _INFRA_STRING_H_
#define _INFRA_STRING_H_

#include "infra_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The lower-case hexadecimal digit of the low four bits of hex. */
int8_t infra_hex2char(uint8_t hex);

/* Writes 2 * input_len upper-case hexadecimal digits, without a terminating NUL. */
void infra_hex2str(uint8_t *input, uint16_t input_len, char *output);

/* Writes the decimal digits of input (1...10), without a terminating NUL. */
void infra_int2str(uint32_t input, char output[10]);

/* Cuts str into the pieces between occurrences of the whole string delim, writing NULs into
 * str; NULL goes on with the string of the last call on this thread. Returns NULL when no
 * piece is left. */
char *infra_strtok(char *str, const char *delim);

/* Fills random with length letters and digits from the system, without a terminating NUL.
 * Returns 0 or -1. */
int infra_randstr(char *random, int length);

/* Converts hexadecimal digits to at most output_len bytes. An odd input_len converts nothing;
 * a character that is no digit counts as 0. */
void LITE_hexstr_convert(char *input, int input_len, unsigned char *output, int output_len);

/* Reads a decimal number with optional leading blanks and sign, up to the first other
 * character. Returns 0, or -1 for NULL or a number outside int, and then leaves val alone. */
int infra_str2int(const char *input, int *val);

/* Reads input_len decimal digits. Returns 0, or -1 for anything else, and then leaves output
 * alone. */
int32_t utils_str2uint(char *input, uint8_t input_len, uint32_t *output);

/* Finds the first member called key in the JSON text input, at any level. *value points to what
 * stands there, a string with its quotation marks, not terminated, *value_len counts it. Returns 0,
 * or -1 when there is none. */
int32_t infra_json_value(const char *input, uint32_t input_len, const char *key, uint32_t key_len,
                         char **value, uint32_t *value_len);

/* Writes 2 * in_len hexadecimal digits, without a terminating NUL. */
void LITE_hexbuf_convert(unsigned char *digest, char *out, int in_len, int uppercase);

#ifdef __cplusplus
}
#endif

#endif /* _INFRA_STRING_H_ */
