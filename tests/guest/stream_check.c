// SPDX-License-Identifier: Apache-2.0
#include "stream_check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK_BYTES = 16384, PATIENCE_MS = STREAM_PATIENCE_S * 1000, NO_FILE = -1 };

/* Byte n of a stream: no run of it is like another's, nor like its own elsewhere. */
static uint8_t byte_at(size_t stream, uint64_t position)
{
    uint64_t mixed = (position + ((uint64_t)stream << 40)) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint8_t)(mixed >> 56);
}

static void make_patient(int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* ---- the end that echoes ---- */

struct echo {
    int fd;
    size_t start, size_bytes;
    bool ended;
    uint8_t bytes[CHUNK_BYTES];
};

/* False: this connection is over. */
static bool echo_step(struct echo *echo, bool *good)
{
    ssize_t count;

    if (echo->size_bytes == 0 && !echo->ended) {
        count = read(echo->fd, echo->bytes, sizeof(echo->bytes));
        if (count < 0)
            return errno == EAGAIN;
        echo->ended = count == 0;
        echo->start = 0;
        echo->size_bytes = (size_t)count;
    }
    if (echo->size_bytes > 0) {
        count = send(echo->fd, echo->bytes + echo->start, echo->size_bytes, MSG_NOSIGNAL);
        if (count < 0)
            return errno == EAGAIN;
        echo->start += (size_t)count;
        echo->size_bytes -= (size_t)count;
    }
    *good = echo->ended && echo->size_bytes == 0;
    return !*good;
}

size_t stream_echo(int listener, size_t count)
{
    static struct echo echoes[STREAM_MOST];
    struct pollfd files[STREAM_MOST + 1] = {{.fd = listener, .events = POLLIN}};
    size_t open_count = 0, come_count = 0, good_count = 0;

    while (come_count < count || open_count > 0) {
        files[0].fd = come_count < count && open_count < STREAM_MOST ? listener : NO_FILE;
        for (size_t i = 0; i < open_count; i++) {
            short events = echoes[i].size_bytes > 0 ? POLLOUT : POLLIN;

            files[i + 1] = (struct pollfd){.fd = echoes[i].fd, .events = events};
        }
        if (poll(files, open_count + 1, PATIENCE_MS) <= 0)
            return good_count;
        for (size_t i = open_count; i-- > 0;) {
            bool good = false;

            if (!files[i + 1].revents || echo_step(&echoes[i], &good))
                continue;
            good_count += good;
            (void)close(echoes[i].fd);
            echoes[i] = echoes[--open_count];
        }
        int fd = files[0].revents ? accept(listener, NULL, NULL) : NO_FILE;
        if (fd >= 0) {
            make_patient(fd);
            echoes[open_count++] = (struct echo){.fd = fd};
            come_count++;
        }
    }
    return good_count;
}

/* ---- the end that drives ---- */

struct drive {
    uint64_t sent, received;
    bool over, good;
};

/* False: this stream is over. */
static bool drive_out(struct drive *drive, int fd, size_t index, uint64_t size_bytes)
{
    uint8_t bytes[CHUNK_BYTES];
    uint64_t left = size_bytes - drive->sent;
    size_t part = left < sizeof(bytes) ? (size_t)left : sizeof(bytes);

    for (size_t i = 0; i < part; i++)
        bytes[i] = byte_at(index, drive->sent + i);
    ssize_t count = send(fd, bytes, part, MSG_NOSIGNAL);
    if (count < 0)
        return errno == EAGAIN;
    drive->sent += (uint64_t)count;
    return drive->sent < size_bytes || shutdown(fd, SHUT_WR) == 0;
}

static bool drive_in(struct drive *drive, int fd, size_t index, uint64_t size_bytes)
{
    uint8_t bytes[CHUNK_BYTES];
    ssize_t count = read(fd, bytes, sizeof(bytes));

    if (count < 0)
        return errno == EAGAIN;
    drive->good = count == 0 && drive->received == size_bytes;
    for (ssize_t i = 0; i < count; i++)
        if (bytes[i] != byte_at(index, drive->received + (uint64_t)i))
            return false;
    drive->received += (uint64_t)count;
    return count > 0;
}

size_t stream_drive(const int *sockets, size_t count, uint64_t size_bytes)
{
    struct drive drives[STREAM_MOST] = {0};
    struct pollfd files[STREAM_MOST];
    size_t left = count, good_count = 0;

    for (size_t i = 0; i < count; i++)
        make_patient(sockets[i]);
    while (left > 0) {
        for (size_t i = 0; i < count; i++) {
            short events = (short)(drives[i].sent < size_bytes ? POLLIN | POLLOUT : POLLIN);

            files[i] =
                (struct pollfd){.fd = drives[i].over ? NO_FILE : sockets[i], .events = events};
        }
        if (poll(files, count, PATIENCE_MS) <= 0)
            break;
        for (size_t i = 0; i < count; i++) {
            bool goes_on = true;

            if (files[i].revents & (POLLIN | POLLHUP | POLLERR))
                goes_on = drive_in(&drives[i], sockets[i], i, size_bytes);
            if (goes_on && files[i].revents & POLLOUT && drives[i].sent < size_bytes)
                goes_on = drive_out(&drives[i], sockets[i], i, size_bytes);
            if (goes_on)
                continue;
            drives[i].over = true;
            good_count += drives[i].good;
            left--;
        }
    }
    for (size_t i = 0; i < count; i++)
        (void)close(sockets[i]);
    return good_count;
}
