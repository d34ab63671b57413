// SPDX-License-Identifier: Apache-2.0
/*
 * Many streams at once, with each byte checked: for both ends of a guest's sockets. Whatever kind
 * the sockets are, one end drives and the other echoes. Calls end by themselves only if the other
 * end goes on, at the latest after STREAM_PATIENCE_S without any.
 */
#ifndef ARMLET_TESTS_GUEST_STREAM_CHECK_H
#define ARMLET_TESTS_GUEST_STREAM_CHECK_H

#include <stddef.h>
#include <stdint.h>

enum { STREAM_MOST = 64, STREAM_PATIENCE_S = 60 };

/* Sends back what comes, on so many connections to a listening socket. Returns how many of them
 * came, and were ended by the other side. */
size_t stream_echo(int listener, size_t count);

/*
 * Sends `size_bytes` on each socket, says that this is all, and wants the same back, and the end.
 * Closes the sockets. Returns on how many it was so.
 */
size_t stream_drive(const int *sockets, size_t count, uint64_t size_bytes);

#endif
