// SPDX-License-Identifier: Apache-2.0
#include "p9_message.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they are");

/* ---- reading ---- */

const uint8_t *p9_read_bytes(struct p9_reader *reader, size_t count)
{
    const uint8_t *bytes = reader->at;

    if (reader->bad || count > reader->left_bytes) {
        reader->bad = true;
        return NULL;
    }
    reader->at += count;
    reader->left_bytes -= count;
    return bytes;
}

static uint64_t read_number(struct p9_reader *reader, size_t size_bytes)
{
    const uint8_t *bytes = p9_read_bytes(reader, size_bytes);
    uint64_t value = 0;

    if (bytes)
        memcpy(&value, bytes, size_bytes);
    return value;
}

uint8_t p9_read_u8(struct p9_reader *reader)
{
    return (uint8_t)read_number(reader, sizeof(uint8_t));
}

uint16_t p9_read_u16(struct p9_reader *reader)
{
    return (uint16_t)read_number(reader, sizeof(uint16_t));
}

uint32_t p9_read_u32(struct p9_reader *reader)
{
    return (uint32_t)read_number(reader, sizeof(uint32_t));
}

uint64_t p9_read_u64(struct p9_reader *reader)
{
    return read_number(reader, sizeof(uint64_t));
}

struct p9_text p9_read_text(struct p9_reader *reader)
{
    size_t length = p9_read_u16(reader);
    const uint8_t *bytes = p9_read_bytes(reader, length);

    return bytes ? (struct p9_text){(const char *)bytes, length} : (struct p9_text){"", 0};
}

/* ---- writing ---- */

uint8_t *p9_write_space(struct p9_writer *writer, size_t count)
{
    if (writer->bad || count > writer->room_bytes - writer->used_bytes) {
        writer->bad = true;
        return NULL;
    }
    writer->used_bytes += count;
    return writer->start + writer->used_bytes - count;
}

static void write_bytes(struct p9_writer *writer, const void *bytes, size_t count)
{
    uint8_t *to = p9_write_space(writer, count);

    if (to && count > 0)
        memcpy(to, bytes, count);
}

void p9_write_u8(struct p9_writer *writer, uint8_t value)
{
    write_bytes(writer, &value, sizeof(value));
}

void p9_write_u16(struct p9_writer *writer, uint16_t value)
{
    write_bytes(writer, &value, sizeof(value));
}

void p9_write_u32(struct p9_writer *writer, uint32_t value)
{
    write_bytes(writer, &value, sizeof(value));
}

void p9_write_u64(struct p9_writer *writer, uint64_t value)
{
    write_bytes(writer, &value, sizeof(value));
}

void p9_write_text(struct p9_writer *writer, const char *bytes, size_t length)
{
    if (length > UINT16_MAX) {
        writer->bad = true;
        return;
    }
    p9_write_u16(writer, (uint16_t)length);
    write_bytes(writer, bytes, length);
}

void p9_write_qid(struct p9_writer *writer, const struct p9_qid *qid)
{
    p9_write_u8(writer, qid->type);
    p9_write_u32(writer, qid->version);
    p9_write_u64(writer, qid->path);
}

void p9_patch_u32(struct p9_writer *writer, size_t offset, uint32_t value)
{
    if (offset <= writer->used_bytes && sizeof(value) <= writer->used_bytes - offset)
        memcpy(writer->start + offset, &value, sizeof(value));
}
