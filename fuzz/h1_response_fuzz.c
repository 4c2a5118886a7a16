/*
 * Fuzzes responses: the input is what a server sends on one connection, in answer to requests of
 * each method that decides about bodies. What must hold is what holds for requests.
 */
#include "h1_same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum rill__h1_method methods[] = { RILL__H1_GET, RILL__H1_HEAD, RILL__H1_CONNECT };
    if (size > 10000)
        return 0;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        struct h1_run run = { .response = true, .method = methods[i] };
        check_cuts(&run, data, size);
    }
    return 0;
}
