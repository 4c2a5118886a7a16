/* Starting and ending a redis-server: see real_server.h. */
#include "real_server.h"

#include "harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((unsigned short)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

/* A port that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = bind(fd, (struct sockaddr *)&address, len) == 0 &&
                 getsockname(fd, (struct sockaddr *)&address, &len) == 0;
    close(fd);
    return bound ? ntohs(address.sin_port) : -1;
}

static bool listens(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return connected;
}

static void run_server(const struct server *server, const char *password)
{
    char port[16], socket_path[80];
    snprintf(port, sizeof port, "%d", server->port);
    snprintf(socket_path, sizeof socket_path, "%s/s", server->folder);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 1);
    dup2(null, 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (server->tls && chdir(server->folder) == 0)
        execlp("redis-server", "redis-server", "--tls-port", port, "--port", "0", "--bind",
               "127.0.0.1", "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem",
               "--tls-ca-cert-file", "cert.pem", "--tls-auth-clients", "no", "--save", "",
               (char *)NULL);
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--unixsocket",
           socket_path, "--dir", server->folder, "--save", "", "--appendonly", "no",
           "--enable-debug-command", "yes", "--requirepass", password ? password : "",
           (char *)NULL);
    _exit(127);
}

bool server_restart(struct server *server, const char *password)
{
    server->pid = fork();
    if (server->pid == 0)
        run_server(server, password);
    for (int i = 0; i < 500; i++) {
        if (listens(server->port))
            return true;
        if (waitpid(server->pid, NULL, WNOHANG) != 0)
            break;
        usleep(10000);
    }
    test_fail(__FILE__, __LINE__, "redis-server does not start");
    return false;
}

static bool prepare(struct server *server)
{
    *server = (struct server){ .port = free_port(), .folder = "/tmp/rill-redis-XXXXXX" };
    if (system("command -v redis-server >/dev/null 2>&1") != 0) {
        test_skip("there is no redis-server");
        return false;
    }
    if (!mkdtemp(server->folder))
        return false;
    snprintf(server->url, sizeof server->url, "redis://127.0.0.1:%d", server->port);
    snprintf(server->unix_url, sizeof server->unix_url, "unix://%s/s", server->folder);
    return true;
}

bool server_start(struct server *server, const char *password)
{
    return prepare(server) && server_restart(server, password);
}

bool server_start_tls(struct server *server)
{
    char command[512];
    if (!prepare(server))
        return false;
    server->tls = true;
    snprintf(command, sizeof command,
             "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
             " -keyout key.pem -out cert.pem -subj /CN=localhost"
             " -addext subjectAltName=DNS:localhost >/dev/null 2>&1",
             server->folder);
    if (system(command) == 0)
        return server_restart(server, NULL);
    server_stop(server);
    test_skip("there is no openssl command");
    return false;
}

void server_kill(struct server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void server_stop(struct server *server)
{
    static const char *const names[] = { "s", "cert.pem", "key.pem" };
    char path[96];
    server_kill(server);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", server->folder, names[i]);
        unlink(path);
    }
    rmdir(server->folder);
}
