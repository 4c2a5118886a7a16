/* Text from elsewhere, made fit for JSON, the metrics and the page. */
#ifndef RILL_CLI_UTF8_H
#define RILL_CLI_UTF8_H

#include <stddef.h>

/* Replaces every byte that is not part of valid UTF-8 (RFC 3629), and every control character, by
 * '?', in place; a character that was cut off at the end counts as invalid. */
void utf8_clean(char *text);

#endif
