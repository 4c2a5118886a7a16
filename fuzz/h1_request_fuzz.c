/*
 * Fuzzes requests: the input is what one connection sends.
 *
 * What must hold: whole, byte by byte and cut in three, the same messages come out and the same
 * refusal at the same place; whatever is accepted could be written again.
 */
#include "h1_same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rill__h1_limits small = {
        .start_line = 40, .field = 30, .fields = 3, .head = 120
    };
    struct h1_run run = { 0 };
    if (size > 10000)
        return 0;
    check_cuts(&run, data, size);
    run.limits = &small;
    check_cuts(&run, data, size);
    return 0;
}
