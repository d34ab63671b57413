// SPDX-License-Identifier: Apache-2.0
/* The host's end of networks, for cases of several files: see cases_net.c. */
#ifndef ARMLET_TESTS_GUEST_NET_HOST_H
#define ARMLET_TESTS_GUEST_NET_HOST_H

struct running;

/* Modules of the lab's host are at one place, and it is root there. */
int net_is_emulated_host(void);
/* A web server at port 8000 with the file /tmp/www/data of 4 MiB, unless there is one, and a
 * net_peer at 9000; a route for passt to go by; passt where it is looked for. */
int net_make_host(void);
/* passt ends a moment after armlet, however that ended. */
int net_passt_is_gone(void);
/* A TAP interface tap0 with the address 10.8.0.1/24, and a web server with the file
 * /tmp/www/data. */
int net_make_tap(void);
/* The guest 10.8.0.2 has fetched that file; fetches the guest's; compares both, and ends it. */
int net_fetch_by_tap(struct running *running);
/* Lets a guest that waits for it end. */
int net_end_guest(struct running *running);

#endif
