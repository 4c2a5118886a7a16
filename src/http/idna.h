/* Host names beyond ASCII: UTS #46, non-transitional, over libidn2. */
#ifndef RILL_SRC_HTTP_IDNA_H
#define RILL_SRC_HTTP_IDNA_H

#include "base/buf.h"

/*
 * Appends the ASCII form of a domain in UTF-8 ("faß.de" gives "xn--fa-hia.de"): "domain to ASCII"
 * of the WHATWG URL standard, without its check for forbidden characters in the result.
 *
 * Returns NULL, or the reason why the name is refused. When memory is short it returns NULL and the
 * buffer has failed.
 */
const char *rill__idna_to_ascii(rill__buf *out, rill_str domain);

#endif
