// SPDX-License-Identifier: Apache-2.0
/*
 * Messages of 9P, field by field. Reading beyond the end, or writing beyond the room, is
 * remembered: the fields are zero or dropped from then on, and who looks at `bad` once at the end
 * has looked at all of them. One thread.
 */
#ifndef DEVICES_P9_MESSAGE_H
#define DEVICES_P9_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p9.h"

/* Bytes of a message, not ended by a zero. */
struct p9_text {
    const char *bytes;
    size_t length;
};

struct p9_reader {
    const uint8_t *at;
    size_t left_bytes;
    bool bad; /* the message ended too early */
};

struct p9_writer {
    uint8_t *start;
    size_t used_bytes, room_bytes;
    bool bad; /* the answer did not fit */
};

uint8_t p9_read_u8(struct p9_reader *reader);
uint16_t p9_read_u16(struct p9_reader *reader);
uint32_t p9_read_u32(struct p9_reader *reader);
uint64_t p9_read_u64(struct p9_reader *reader);
/* Points into the message. */
struct p9_text p9_read_text(struct p9_reader *reader);
/* NULL, and bad, if there are fewer. */
const uint8_t *p9_read_bytes(struct p9_reader *reader, size_t count);

void p9_write_u8(struct p9_writer *writer, uint8_t value);
void p9_write_u16(struct p9_writer *writer, uint16_t value);
void p9_write_u32(struct p9_writer *writer, uint32_t value);
void p9_write_u64(struct p9_writer *writer, uint64_t value);
void p9_write_text(struct p9_writer *writer, const char *bytes, size_t length);
void p9_write_qid(struct p9_writer *writer, const struct p9_qid *qid);
/* Room for so many bytes, which the caller fills in; NULL, and bad, if there isn't. */
uint8_t *p9_write_space(struct p9_writer *writer, size_t count);

/* Sets a number that was written before, at an offset from the start. */
void p9_patch_u32(struct p9_writer *writer, size_t offset, uint32_t value);

#endif
