// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's end of the tests of virtio-vsock, a program for Linux:
 *
 *     vsock_peer echo PORT COUNT          echoes on COUNT connections from the host
 *     vsock_peer drive PORT COUNT BYTES   drives COUNT connections to the host, all at once
 *     vsock_peer cid                      says which CID this machine has
 *     vsock_peer call CID PORT            says what connecting comes to
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "stream_check.h"

static int open_socket(void)
{
    return socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int call(unsigned cid, unsigned port)
{
    const struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
    int fd = open_socket();

    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int echo(unsigned port, size_t count)
{
    const struct sockaddr_vm address = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};
    int fd = open_socket();

    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, STREAM_MOST) != 0) {
        perror("vsock_peer");
        return 1;
    }
    (void)puts("CHECK listening");
    (void)fflush(stdout);
    printf("CHECK echoed %zu\n", stream_echo(fd, count));
    return 0;
}

static int drive(unsigned port, size_t count, uint64_t size_bytes)
{
    int sockets[STREAM_MOST];

    for (size_t i = 0; i < count; i++) {
        sockets[i] = call(VMADDR_CID_HOST, port);
        if (sockets[i] < 0) {
            perror("vsock_peer: connect");
            return 1;
        }
    }
    printf("CHECK driven %zu\n", stream_drive(sockets, count, size_bytes));
    return 0;
}

static int show_cid(void)
{
    unsigned cid = 0;
    int fd = open("/dev/vsock", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) != 0)
        perror("vsock_peer: /dev/vsock");
    printf("CHECK cid %u\n", cid);
    return 0;
}

static int show_call(unsigned cid, unsigned port)
{
    int fd = call(cid, port);

    printf("CHECK call %u:%u %s\n", cid, port, fd >= 0 ? "connected" : strerror(errno));
    return 0;
}

static unsigned number(const char *text)
{
    return (unsigned)strtoul(text, NULL, 10);
}

int main(int count, char *arguments[])
{
    if (count == 4 && strcmp(arguments[1], "echo") == 0)
        return echo(number(arguments[2]), number(arguments[3]));
    if (count == 5 && strcmp(arguments[1], "drive") == 0)
        return drive(number(arguments[2]), number(arguments[3]), number(arguments[4]));
    if (count == 4 && strcmp(arguments[1], "call") == 0)
        return show_call(number(arguments[2]), number(arguments[3]));
    if (count == 2 && strcmp(arguments[1], "cid") == 0)
        return show_cid();
    (void)fputs("vsock_peer: wrong arguments\n", stderr);
    return 2;
}
