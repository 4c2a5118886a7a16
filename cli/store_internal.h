/* What store.c and store_file.c share: the open database and the one way to say what failed. */
#ifndef RILL_CLI_STORE_INTERNAL_H
#define RILL_CLI_STORE_INTERNAL_H

#include "store.h"

#include <sqlite3.h>

enum statement {
    FIND_ENDPOINT,
    ADD_ENDPOINT,
    COUNT_CHECK,
    ADD_RESULT,
    DROP_RESULTS,
    LOAD_RESULTS,
    COUNT_ENDPOINTS,
    OLDEST_ENDPOINT,
    DROP_ALL_RESULTS,
    DROP_ENDPOINT,
    STATEMENTS,
};

struct store {
    sqlite3 *db;
    char *path;
    int64_t keep;
    sqlite3_stmt *statements[STATEMENTS]; /* prepared when first used */
};

/* Writes "path: why" and returns the code. */
enum store_code store__fail(struct store_error *error, enum store_code code, const char *path,
                            const char *why);
/* The same for what SQLite returned last on this handle. */
enum store_code store__fail_sqlite(struct store_error *error, const char *path, sqlite3 *db,
                                   int rc);

#endif
