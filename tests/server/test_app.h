/* The application that the server's tests talk to. */
#ifndef RILL_TESTS_SERVER_TEST_APP_H
#define RILL_TESTS_SERVER_TEST_APP_H

#include <rill/rill.h>

rill_app *test_app_new(void);

/* What handlers met last: a code from reading the body, the reason of a cancellation. */
struct test_app_seen {
    int body_code;
    long body_bytes;
    int write_code;
    int handled;
    int set_code;
    char cancel_reason[96];
};
extern struct test_app_seen test_app_seen;

#endif
