/* The server that is measured: GET / answers with 13 bytes. Usage: hello PORT */
#include <rill/rill.h>
#include <stdio.h>
#include <stdlib.h>

static int hello(rill_request *request)
{
    return rill_reply_text(request, 200, "Hello, World!");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: hello PORT\n");
        return 2;
    }
    rill_app *app = rill_app_new();
    rill_app_get(app, "/", hello);
    return rill_app_run(app, .host = "127.0.0.1", .port = atoi(argv[1]), .quiet = true);
}
