/*
 * The tests' application as a program: server_app PORT [CERTIFICATE KEY]. With a certificate it
 * speaks TLS. It logs every request, and stops on SIGTERM within two seconds.
 */
#include "test_app.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    rill_tls_opts tls = {
        .cert_file = argc > 3 ? argv[2] : NULL,
        .key_file = argc > 3 ? argv[3] : NULL,
    };
    return rill_app_run(test_app_new(), .host = "127.0.0.1", .port = argc > 1 ? atoi(argv[1]) : 0,
                        .tls = argc > 3, .tls_options = tls, .access_log = true,
                        .shutdown_timeout = 2);
}
