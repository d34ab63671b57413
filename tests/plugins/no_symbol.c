// SPDX-License-Identifier: Apache-2.0
/* A shared object that is no plugin. */
const int unrelated __attribute__((visibility("default"))) = 1;
