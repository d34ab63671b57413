// SPDX-License-Identifier: Apache-2.0
/* The host's end of networks by TAP, for cases of several files: see cases_net.c. */
#ifndef ARMLET_TESTS_GUEST_NET_HOST_H
#define ARMLET_TESTS_GUEST_NET_HOST_H

struct running;

/* A TAP interface tap0 with the address 10.8.0.1/24, and a web server with the file
 * /tmp/www/data. */
int net_make_tap(void);
/* The guest 10.8.0.2 has fetched that file; fetches the guest's; compares both, and ends it. */
int net_fetch_by_tap(struct running *running);

#endif
