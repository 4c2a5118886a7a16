/* The history of checks in SQLite: see store.h for the promises, store_file.c for the opening. */
#include "store_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Old results leave at most this many at a time, so that no batch takes long after the bound was
 * lowered. */
#define DROP_MAX 64

static const char *const statement_text[STATEMENTS] = {
    [FIND_ENDPOINT] = "SELECT id, checks, failures, first_ms FROM endpoints WHERE url = ?1",
    [ADD_ENDPOINT] = "INSERT INTO endpoints (url, first_ms, last_ms) VALUES (?1, ?2, ?2)",
    [COUNT_CHECK] = "UPDATE endpoints SET checks = checks + 1, failures = failures + ?2, "
                    "last_ms = ?3 WHERE id = ?1",
    [ADD_RESULT] = "INSERT INTO results (endpoint, number, time_ms, ok, status, error, message, "
                   "duration_ms, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [DROP_RESULTS] = "DELETE FROM results WHERE endpoint = ?1 AND number <= ?2 AND number < ?3 + "
                     "(SELECT min(number) FROM results WHERE endpoint = ?1)",
    [LOAD_RESULTS] = "SELECT time_ms, ok, status, error, message, duration_ms, bytes FROM results "
                     "WHERE endpoint = ?1 ORDER BY number DESC LIMIT ?2",
    [COUNT_ENDPOINTS] = "SELECT count(*) FROM endpoints",
    [OLDEST_ENDPOINT] = "SELECT id FROM endpoints ORDER BY last_ms, id LIMIT 1",
    [DROP_ALL_RESULTS] = "DELETE FROM results WHERE endpoint = ?1",
    [DROP_ENDPOINT] = "DELETE FROM endpoints WHERE id = ?1",
};

enum store_code store__fail(struct store_error *error, enum store_code code, const char *path,
                            const char *why)
{
    error->code = code;
    snprintf(error->message, sizeof error->message, "%.200s: %s", path, why);
    return code;
}

/* Which kind of trouble SQLite's code is. */
static enum store_code kind_of(sqlite3 *db, int rc)
{
    int os_errno = sqlite3_system_errno(db);
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STORE_LOCKED;
    case SQLITE_FULL:
        return STORE_FULL;
    case SQLITE_READONLY:
        return STORE_READ_ONLY;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        /* The file of the write-ahead log, made with the first write, may be what does not fit. */
        return os_errno == ENOSPC || os_errno == EDQUOT ? STORE_FULL : STORE_NO_ACCESS;
    case SQLITE_NOTADB:
        return STORE_NOT_OURS;
    case SQLITE_CORRUPT:
    case SQLITE_ERROR: /* a table or a column that is not there */
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return STORE_CORRUPT;
    case SQLITE_NOMEM:
        return STORE_NO_MEMORY;
    case SQLITE_IOERR:
        /* The shared memory file of the log is extended by writing to it. */
        return os_errno == ENOSPC || os_errno == EDQUOT || (rc == SQLITE_IOERR_SHMSIZE) ? STORE_FULL
                                                                                        : STORE_IO;
    default:
        return STORE_IO;
    }
}

/* The sentence, or its beginning: what SQLite or the system says is added where that tells more. */
static const char *words_of(enum store_code code)
{
    switch (code) {
    case STORE_LOCKED:
        return "another process is writing to it";
    case STORE_FULL:
        return "the disk is full";
    case STORE_READ_ONLY:
        return "it cannot be written to";
    case STORE_NO_ACCESS:
        return "it cannot be opened";
    case STORE_NOT_OURS:
        return "it is not a SQLite database";
    case STORE_CORRUPT:
        return "the database is damaged";
    case STORE_NO_MEMORY:
        return "out of memory";
    default:
        return "the disk failed";
    }
}

enum store_code store__fail_sqlite(struct store_error *error, const char *path, sqlite3 *db, int rc)
{
    enum store_code code = kind_of(db, rc);
    int os_errno = sqlite3_system_errno(db);
    const char *detail = "";
    if (code == STORE_NO_ACCESS && os_errno)
        detail = strerror(os_errno);
    else if (code == STORE_CORRUPT || code == STORE_IO)
        detail = sqlite3_errmsg(db);
    char why[160];
    snprintf(why, sizeof why, "%s%s%s", words_of(code), *detail ? ": " : "", detail);
    return store__fail(error, code, path, why);
}

static enum store_code fail(struct store *store, int rc, struct store_error *error)
{
    return store__fail_sqlite(error, store->path, store->db, rc);
}

/* The statement, prepared once and reset; NULL when SQLite cannot (its code is in the handle). */
static sqlite3_stmt *statement(struct store *store, enum statement which)
{
    sqlite3_stmt **place = &store->statements[which];
    if (*place)
        sqlite3_reset(*place);
    else
        sqlite3_prepare_v3(store->db, statement_text[which], -1, SQLITE_PREPARE_PERSISTENT, place,
                           NULL);
    return *place;
}

/* Runs a statement whose parameters are all integers, `format` saying how many. Returns SQLite's
 * code: SQLITE_ROW, SQLITE_DONE or an error; after a row its first column is in *ret_value. */
static int run(struct store *store, enum statement which, const int64_t *values, int count,
               int64_t *ret_value)
{
    sqlite3_stmt *query = statement(store, which);
    if (!query)
        return sqlite3_extended_errcode(store->db);
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(query, i + 1, values[i]);
    int rc = sqlite3_step(query);
    if (rc == SQLITE_ROW && ret_value)
        *ret_value = sqlite3_column_int64(query, 0);
    int end = sqlite3_reset(query);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? rc : end;
}

static bool failed(int rc)
{
    return rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE;
}

struct endpoint_row {
    int64_t id, checks, failures, first_ms;
};

/* SQLITE_ROW when the endpoint is there, SQLITE_DONE when not, else the error. */
static int find_endpoint(struct store *store, const char *url, struct endpoint_row *ret_row)
{
    sqlite3_stmt *query = statement(store, FIND_ENDPOINT);
    if (!query)
        return sqlite3_extended_errcode(store->db);
    sqlite3_bind_text(query, 1, url, -1, SQLITE_STATIC);
    int rc = sqlite3_step(query);
    if (rc == SQLITE_ROW)
        *ret_row = (struct endpoint_row){
            .id = sqlite3_column_int64(query, 0),
            .checks = sqlite3_column_int64(query, 1),
            .failures = sqlite3_column_int64(query, 2),
            .first_ms = sqlite3_column_int64(query, 3),
        };
    int end = sqlite3_reset(query);
    sqlite3_clear_bindings(query);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? rc : end;
}

/* Makes room for one more endpoint when there are too many. */
static int drop_oldest_endpoint(struct store *store)
{
    int64_t count = 0, id = 0;
    int rc = run(store, COUNT_ENDPOINTS, NULL, 0, &count);
    if (failed(rc) || count < STORE_ENDPOINTS_MAX)
        return rc;
    rc = run(store, OLDEST_ENDPOINT, NULL, 0, &id);
    if (rc == SQLITE_ROW)
        rc = run(store, DROP_ALL_RESULTS, &id, 1, NULL);
    if (!failed(rc))
        rc = run(store, DROP_ENDPOINT, &id, 1, NULL);
    return rc;
}

static int add_endpoint(struct store *store, const struct store_entry *entry,
                        struct endpoint_row *ret_row)
{
    int rc = drop_oldest_endpoint(store);
    if (failed(rc))
        return rc;
    sqlite3_stmt *insert = statement(store, ADD_ENDPOINT);
    if (!insert)
        return sqlite3_extended_errcode(store->db);
    sqlite3_bind_text(insert, 1, entry->url, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 2, entry->result.time_ms);
    sqlite3_step(insert);
    rc = sqlite3_reset(insert);
    sqlite3_clear_bindings(insert);
    *ret_row = (struct endpoint_row){ .id = sqlite3_last_insert_rowid(store->db) };
    return rc;
}

static int add_result(struct store *store, int64_t endpoint, int64_t number,
                      const struct check_result *result)
{
    sqlite3_stmt *insert = statement(store, ADD_RESULT);
    if (!insert)
        return sqlite3_extended_errcode(store->db);
    sqlite3_bind_int64(insert, 1, endpoint);
    sqlite3_bind_int64(insert, 2, number);
    sqlite3_bind_int64(insert, 3, result->time_ms);
    sqlite3_bind_int64(insert, 4, result->ok);
    sqlite3_bind_int64(insert, 5, result->status);
    sqlite3_bind_text(insert, 6, result->error, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 7, result->message, -1, SQLITE_STATIC);
    sqlite3_bind_double(insert, 8, result->duration_ms);
    sqlite3_bind_int64(insert, 9, result->bytes);
    sqlite3_step(insert);
    int rc = sqlite3_reset(insert);
    sqlite3_clear_bindings(insert);
    return rc;
}

static int add_entry(struct store *store, const struct store_entry *entry)
{
    struct endpoint_row row = { 0 };
    int rc = find_endpoint(store, entry->url, &row);
    if (rc == SQLITE_DONE)
        rc = add_endpoint(store, entry, &row);
    if (failed(rc))
        return rc;
    int64_t number = row.checks + 1;
    rc = add_result(store, row.id, number, &entry->result);
    if (!failed(rc))
        rc = run(store, COUNT_CHECK,
                 (const int64_t[]){ row.id, !entry->result.ok, entry->result.time_ms }, 3, NULL);
    if (!failed(rc))
        rc = run(store, DROP_RESULTS, (const int64_t[]){ row.id, number - store->keep, DROP_MAX },
                 3, NULL);
    return rc;
}

/* After a full disk SQLite may have rolled back by itself already. */
static void roll_back(struct store *store)
{
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

enum store_code store_add(struct store *store, const struct store_entry *entries, size_t count,
                          struct store_error *ret_error)
{
    int rc = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (size_t i = 0; i < count && !failed(rc); i++)
        rc = add_entry(store, &entries[i]);
    if (!failed(rc))
        rc = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    if (!failed(rc))
        return STORE_OK;
    enum store_code code = fail(store, rc, ret_error);
    roll_back(store);
    return code;
}

static void copy_column(sqlite3_stmt *query, int column, char *out, size_t size)
{
    const unsigned char *text = sqlite3_column_text(query, column);
    snprintf(out, size, "%s", text ? (const char *)text : "");
}

static void read_result(sqlite3_stmt *query, struct check_result *result)
{
    *result = (struct check_result){
        .time_ms = sqlite3_column_int64(query, 0),
        .ok = sqlite3_column_int64(query, 1) != 0,
        .status = sqlite3_column_int(query, 2),
        .duration_ms = sqlite3_column_double(query, 5),
        .bytes = sqlite3_column_int64(query, 6),
    };
    copy_column(query, 3, result->error, sizeof result->error);
    copy_column(query, 4, result->message, sizeof result->message);
}

/* The rows come newest first and are laid down from the end of the array. */
static int load_results(struct store *store, int64_t endpoint, size_t max,
                        struct store_history *history)
{
    sqlite3_stmt *query = statement(store, LOAD_RESULTS);
    if (!query)
        return sqlite3_extended_errcode(store->db);
    sqlite3_bind_int64(query, 1, endpoint);
    sqlite3_bind_int64(query, 2, (int64_t)max);
    size_t at = max;
    int rc;
    while ((rc = sqlite3_step(query)) == SQLITE_ROW && at > 0)
        read_result(query, &history->results[--at]);
    int end = sqlite3_reset(query);
    history->count = max - at;
    memmove(history->results, history->results + at, history->count * sizeof *history->results);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : end;
}

enum store_code store_load(struct store *store, const char *url, size_t max,
                           struct store_history *ret_history, struct store_error *ret_error)
{
    *ret_history = (struct store_history){ 0 };
    struct endpoint_row row = { 0 };
    int rc = find_endpoint(store, url, &row);
    if (rc == SQLITE_DONE)
        return STORE_OK;
    if (failed(rc))
        return fail(store, rc, ret_error);
    struct store_history history = {
        .results = calloc(max ? max : 1, sizeof *history.results),
        .checks = row.checks,
        .failures = row.failures,
        .first_ms = row.first_ms,
    };
    if (!history.results)
        return store__fail(ret_error, STORE_NO_MEMORY, store->path, "out of memory");
    rc = load_results(store, row.id, max, &history);
    if (failed(rc)) {
        free(history.results);
        return fail(store, rc, ret_error);
    }
    *ret_history = history;
    return STORE_OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    free(store->path);
    free(store);
}
