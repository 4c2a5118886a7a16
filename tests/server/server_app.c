/* The tests' application as a program: server_app PORT. Prints "ready" when it listens. */
#include "test_app.h"

#include <stdio.h>
#include <stdlib.h>

struct place {
    rill_app *app;
    int port;
};

static int ready(void *arg)
{
    (void)arg;
    rill_sleep(0); /* listening comes after this was started */
    printf("ready\n");
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    rill_app *app = test_app_new();
    rill_app_background(app, ready);
    return rill_app_run(app, .host = "127.0.0.1", .port = argc > 1 ? atoi(argv[1]) : 0,
                        .quiet = true, .access_log = argc > 2, .shutdown_timeout = 2);
}
