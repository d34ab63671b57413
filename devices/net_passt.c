// SPDX-License-Identifier: Apache-2.0
/*
 * passt(1): user-mode networking by a process without privileges.
 *
 * It is given one end of a socket pair, and ends when the other is closed, however armlet ended.
 * It goes to the background once it is set up, which is when the process that was started ends:
 * until then it may complain, of a port in use for one, and that is quoted.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host_process.h"
#include "net_link.h"

enum {
    MOST_ARGUMENTS = 128,
    PORT_TEXT_BYTES = 96,
    START_TIMEOUT_MS = 10000,
    MESSAGE_BYTES = 256,
    PORT_MAX = 65535,
    NUMBER_BASE = 10,
    SOCKET_BYTES = 4 << 20,
};

struct arguments {
    const char *words[MOST_ARGUMENTS];
    size_t count;
    char ports[MOST_ARGUMENTS / 2][PORT_TEXT_BYTES];
    size_t port_count;
    char mtu[PORT_TEXT_BYTES];
};

static void add(struct arguments *arguments, const char *option, const char *value)
{
    arguments->words[arguments->count++] = option;
    if (value)
        arguments->words[arguments->count++] = value;
}

static bool take_port(const char **text, char end, unsigned long *port)
{
    char *rest = NULL;

    if (**text < '0' || **text > '9')
        return false;
    *port = strtoul(*text, &rest, NUMBER_BASE);
    if (*rest != end || *port == 0 || *port > PORT_MAX)
        return false;
    *text = end ? rest + 1 : rest;
    return true;
}

/* PROTOCOL:[ADDRESS:]PORT:PORT; without an address only the host itself reaches it. */
static bool add_forward(struct arguments *arguments, const char *value, struct error *error)
{
    bool tcp = strncmp(value, "tcp:", strlen("tcp:")) == 0;
    bool udp = strncmp(value, "udp:", strlen("udp:")) == 0;
    const char *rest = value + strlen("tcp:");
    const char *address = "127.0.0.1";
    int address_bytes = (int)strlen(address);
    unsigned long from = 0;
    unsigned long to = 0;

    if (arguments->port_count == sizeof(arguments->ports) / sizeof(arguments->ports[0]))
        return error_set(error, ERROR_USAGE, 0, "forward=%s: too many ports", value);
    if ((tcp || udp) && strchr(rest, ':') && strchr(strchr(rest, ':') + 1, ':')) {
        address = rest;
        rest = strchr(rest, ':') + 1;
        address_bytes = (int)(rest - 1 - address);
    }
    if (!(tcp || udp) || !take_port(&rest, ':', &from) || !take_port(&rest, '\0', &to))
        return error_set(error, ERROR_USAGE, 0,
                         "forward=%s: must be tcp:PORT:GUEST-PORT or udp:..., as tcp:8080:80",
                         value);
    char *text = arguments->ports[arguments->port_count++];
    int length = snprintf(text, PORT_TEXT_BYTES, "%.*s/%lu:%lu", address_bytes, address, from, to);
    if (length >= PORT_TEXT_BYTES)
        return error_set(error, ERROR_USAGE, 0, "forward=%s: no address is that long", value);
    add(arguments, tcp ? "--tcp-ports" : "--udp-ports", text);
    return true;
}

static bool make_arguments(const struct net_link_config *config, struct arguments *arguments,
                           struct error *error)
{
    add(arguments, "passt", "--quiet");
    add(arguments, "--fd", "3");
    if (config->host)
        add(arguments, "--gateway", config->host);
    if (config->mtu) {
        (void)snprintf(arguments->mtu, sizeof(arguments->mtu), "%llu",
                       (unsigned long long)config->mtu);
        add(arguments, "--mtu", arguments->mtu);
    }
    for (size_t i = 0; i < config->properties.count; i++) {
        const struct property *property = &config->properties.items[i];

        if (strcmp(property->key, "forward") == 0 &&
            !add_forward(arguments, property->value, error))
            return false;
    }
    return true;
}

/* Its last line, until it closes its output: in the background it has none. */
static bool read_messages(int fd, char message[MESSAGE_BYTES])
{
    size_t length = 0;
    bool ended = false;

    while (!ended) {
        struct pollfd file = {fd, POLLIN, 0};
        char byte = 0;

        if (poll(&file, 1, START_TIMEOUT_MS) <= 0)
            break;
        ssize_t got = read(fd, &byte, sizeof(byte));
        ended = got == 0 || (got < 0 && errno != EINTR);
        if (got != 1)
            continue;
        if (byte != '\n' && length > 0 && message[length - 1] == '\n')
            length = 0;
        if (length < MESSAGE_BYTES - 1)
            message[length++] = byte;
    }
    if (length > 0 && message[length - 1] == '\n')
        length--;
    message[length] = '\0';
    return ended;
}

static bool wait_until_up(pid_t pid, int messages, struct error *error)
{
    char message[MESSAGE_BYTES];
    int status = 0;

    bool ended = read_messages(messages, message);
    if (!ended)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!ended)
        return error_set(error, ERROR_HOST, 0, "passt doesn't come up");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    return error_set(error, ERROR_HOST, 0, "passt failed: %s",
                     message[0] ? message : "it doesn't say why");
}

static bool start(const struct arguments *arguments, int socket, struct error *error)
{
    int messages[2];
    pid_t pid = 0;

    if (pipe2(messages, O_CLOEXEC) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot make a pipe to passt");
    int code = host_process_start("passt", arguments->words, socket, messages[1], &pid);
    (void)close(messages[1]);
    bool good = code == 0 && wait_until_up(pid, messages[0], error);
    (void)close(messages[0]);
    if (code == ENOENT)
        return error_set(error, ERROR_HOST, 0,
                         "passt is not installed: install the package 'passt', or use tap=NAME");
    if (code != 0)
        return error_set(error, ERROR_HOST, code, "cannot execute passt");
    return good;
}

/* The more fits, the less often passt has to drop what it sends. The host may allow less. */
static void widen(int fd)
{
    const int bytes = SOCKET_BYTES;

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

bool net_passt_start(const struct net_link_config *config, int *fd, struct error *error)
{
    struct arguments arguments = {.count = 0};
    int ends[2];

    if (!make_arguments(config, &arguments, error))
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot make a pair of sockets for passt");
    widen(ends[0]);
    widen(ends[1]);
    bool good = start(&arguments, ends[1], error);
    (void)close(ends[1]);
    if (good)
        *fd = ends[0];
    else
        (void)close(ends[0]);
    return good;
}
