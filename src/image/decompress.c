// SPDX-License-Identifier: Apache-2.0
#include "image/decompress.h"

#include <errno.h>
#include <inttypes.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_d_stableOutBuffer */
#include <zstd.h>
#include <zstd_errors.h>

enum {
    INPUT_BYTES = 128 << 10,
    SKIP_BYTES = 16 << 10,
    LOOKAHEAD_BYTES = 16,       /* what a step sees at once, unless the input has no more */
    GZIP_WINDOW_BITS = 15 + 16, /* inflateInit2(): the largest window, a gzip header */
    LZ4_LEGACY_BLOCK_BYTES = 8 << 20,
    LZMA_HEADER_BYTES = 13,
    LZMA_USUAL_PROPERTIES = 0x5d, /* lc=3 lp=0 pb=2, of every encoder in use */
    LZMA_SMALLEST_DICTIONARY = 4096,
    MAGIC_BYTES_MAX = 6,
};

#define LZ4_LEGACY_MAGIC  0x184c2102u
#define LZMA_LARGEST_SIZE ((uint64_t)1 << 40)
#define LZMA_SIZE_UNKNOWN UINT64_MAX

enum step {
    STEP_GOOD, /* goes on with more input or room; without progress: stuck for want of either */
    STEP_END,
    STEP_FULL, /* can't go on at all for want of room */
    STEP_TRUNCATED,
    STEP_DAMAGED,
    STEP_OVER_LIMIT, /* wants more memory than DECOMPRESS_MEMORY_BYTES */
    STEP_NO_MEMORY,
};

/* One block of the old lz4 format: gathered, then unpacked at once, here if not in place. */
struct lz4_legacy {
    uint8_t *block;
    size_t block_bytes; /* 0: its size is the next thing to read */
    size_t gathered_bytes;
    uint8_t *unpacked;
    size_t unpacked_bytes;
    size_t taken_bytes;
    uint64_t total_bytes;
};

struct codec {
    const char *name;
    uint8_t magic[MAGIC_BYTES_MAX];
    size_t magic_bytes;
    bool (*start)(struct decompressor *);
    bool (*restart)(struct decompressor *); /* at a stream that follows the one that ended */
    enum step (*step)(struct decompressor *);
    void (*finish)(struct decompressor *);
};

struct decompressor {
    struct packed packed;
    const struct codec *codec;
    enum decompress_use use;
    bool ended;

    const uint8_t *in;
    size_t in_bytes;
    uint64_t left_bytes; /* of the extent, not yet in `in` */

    uint8_t *out;
    size_t out_bytes;
    size_t done_bytes;

    union {
        z_stream gzip;
        ZSTD_DCtx *zstd;
        LZ4F_dctx *lz4;
        lzma_stream lzma;
        struct lz4_legacy legacy;
    } state;
    uint8_t buffer[]; /* INPUT_BYTES of what is packed */
};

static void consume(struct decompressor *d, size_t size_bytes)
{
    d->in += size_bytes;
    d->in_bytes -= size_bytes;
}

/* ---- gzip ----------------------------------------------------------------------------------- */

static bool gzip_start(struct decompressor *d)
{
    return inflateInit2(&d->state.gzip, GZIP_WINDOW_BITS) == Z_OK;
}

static bool gzip_restart(struct decompressor *d)
{
    return inflateReset(&d->state.gzip) == Z_OK;
}

static unsigned int as_uint(size_t size_bytes)
{
    return size_bytes < UINT32_MAX ? (unsigned int)size_bytes : UINT32_MAX;
}

static enum step gzip_step(struct decompressor *d)
{
    z_stream *stream = &d->state.gzip;
    unsigned int room = as_uint(d->out_bytes - d->done_bytes);

    stream->next_in = (z_const Bytef *)d->in;
    stream->avail_in = (unsigned int)d->in_bytes;
    stream->next_out = d->out + d->done_bytes;
    stream->avail_out = room;
    int status = inflate(stream, Z_NO_FLUSH);

    consume(d, d->in_bytes - stream->avail_in);
    d->done_bytes += room - stream->avail_out;
    switch (status) {
    case Z_OK:
    case Z_BUF_ERROR:
        return STEP_GOOD;
    case Z_STREAM_END:
        return STEP_END;
    case Z_MEM_ERROR:
        return STEP_NO_MEMORY;
    default:
        return STEP_DAMAGED;
    }
}

static void gzip_finish(struct decompressor *d)
{
    (void)inflateEnd(&d->state.gzip);
}

/* ---- zstd ----------------------------------------------------------------------------------- */

static bool zstd_start(struct decompressor *d)
{
    d->state.zstd = ZSTD_createDCtx();
    if (!d->state.zstd)
        return false;
    /* Without it a window of its own stands beside the output. A library may not know it. */
    if (d->use == DECOMPRESS_WHOLE)
        (void)ZSTD_DCtx_setParameter(d->state.zstd, ZSTD_d_stableOutBuffer, 1);
    return true;
}

static bool goes_on_by_itself(struct decompressor *d)
{
    (void)d;
    return true;
}

static enum step zstd_step(struct decompressor *d)
{
    ZSTD_inBuffer in = {d->in, d->in_bytes, 0};
    ZSTD_outBuffer out = {d->out, d->out_bytes, d->done_bytes};
    size_t hint = ZSTD_decompressStream(d->state.zstd, &out, &in);

    consume(d, in.pos);
    d->done_bytes = out.pos;
    switch (ZSTD_getErrorCode(hint)) {
    case ZSTD_error_no_error:
        return hint == 0 ? STEP_END : STEP_GOOD;
    case ZSTD_error_dstSize_tooSmall:
        return STEP_FULL;
    case ZSTD_error_frameParameter_windowTooLarge:
        return STEP_OVER_LIMIT;
    case ZSTD_error_memory_allocation:
        return STEP_NO_MEMORY;
    default:
        return STEP_DAMAGED;
    }
}

static void zstd_finish(struct decompressor *d)
{
    (void)ZSTD_freeDCtx(d->state.zstd);
}

/* ---- lz4 frames ----------------------------------------------------------------------------- */

static bool lz4_start(struct decompressor *d)
{
    return !LZ4F_isError(LZ4F_createDecompressionContext(&d->state.lz4, LZ4F_VERSION));
}

static enum step lz4_step(struct decompressor *d)
{
    const LZ4F_decompressOptions_t options = {.stableDst = d->use == DECOMPRESS_WHOLE};
    size_t in_bytes = d->in_bytes;
    size_t out_bytes = d->out_bytes - d->done_bytes;
    size_t hint = LZ4F_decompress(d->state.lz4, d->out + d->done_bytes, &out_bytes, d->in,
                                  &in_bytes, &options);

    if (LZ4F_isError(hint))
        return STEP_DAMAGED;
    consume(d, in_bytes);
    d->done_bytes += out_bytes;
    return hint == 0 ? STEP_END : STEP_GOOD;
}

static void lz4_finish(struct decompressor *d)
{
    (void)LZ4F_freeDecompressionContext(d->state.lz4);
}

/* ---- lz4 as Linux is packed ----------------------------------------------------------------- */

static bool legacy_start(struct decompressor *d)
{
    d->state.legacy = (struct lz4_legacy){0};
    return true;
}

/* The size of the next block, another magic number, or the end: the format has no mark for it. */
static enum step legacy_step_size(struct decompressor *d)
{
    struct lz4_legacy *legacy = &d->state.legacy;

    if (d->in_bytes == 0)
        return STEP_END;
    if (d->in_bytes < sizeof(uint32_t))
        return STEP_TRUNCATED;
    uint32_t word = file_u32(d->in, 0);
    uint64_t left = d->in_bytes + d->left_bytes - sizeof(word);

    if (word == LZ4_LEGACY_MAGIC) {
        consume(d, sizeof(word));
        return STEP_GOOD;
    }
    if (left == 0 && word == (uint32_t)legacy->total_bytes) {
        consume(d, sizeof(word)); /* Linux's build appends it */
        return STEP_END;
    }
    if (word == 0 || word > (uint32_t)LZ4_COMPRESSBOUND(LZ4_LEGACY_BLOCK_BYTES))
        return STEP_DAMAGED;
    if (word > left)
        return STEP_TRUNCATED;
    uint8_t *block = realloc(legacy->block, word);

    if (!block)
        return STEP_NO_MEMORY;
    consume(d, sizeof(word));
    legacy->block = block;
    legacy->block_bytes = word;
    legacy->gathered_bytes = 0;
    return STEP_GOOD;
}

static enum step legacy_unpack(struct decompressor *d)
{
    struct lz4_legacy *legacy = &d->state.legacy;
    bool in_place = d->out_bytes - d->done_bytes >= LZ4_LEGACY_BLOCK_BYTES;

    if (!in_place && !legacy->unpacked) {
        legacy->unpacked = malloc(LZ4_LEGACY_BLOCK_BYTES);
        if (!legacy->unpacked)
            return STEP_NO_MEMORY;
    }
    int unpacked_bytes = LZ4_decompress_safe(
        (const char *)legacy->block, (char *)(in_place ? d->out + d->done_bytes : legacy->unpacked),
        (int)legacy->block_bytes, LZ4_LEGACY_BLOCK_BYTES);

    if (unpacked_bytes < 0)
        return STEP_DAMAGED;
    legacy->block_bytes = 0;
    legacy->total_bytes += (uint64_t)unpacked_bytes;
    if (in_place) {
        d->done_bytes += (size_t)unpacked_bytes;
    } else {
        legacy->unpacked_bytes = (size_t)unpacked_bytes;
        legacy->taken_bytes = 0;
    }
    return STEP_GOOD;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static enum step legacy_step(struct decompressor *d)
{
    struct lz4_legacy *legacy = &d->state.legacy;
    size_t waiting_bytes = legacy->unpacked_bytes - legacy->taken_bytes;

    if (waiting_bytes > 0) {
        size_t count = smaller(waiting_bytes, d->out_bytes - d->done_bytes);

        if (count > 0)
            memcpy(d->out + d->done_bytes, legacy->unpacked + legacy->taken_bytes, count);
        d->done_bytes += count;
        legacy->taken_bytes += count;
        return STEP_GOOD;
    }
    if (legacy->block_bytes == 0)
        return legacy_step_size(d);
    size_t count = smaller(d->in_bytes, legacy->block_bytes - legacy->gathered_bytes);

    if (count > 0)
        memcpy(legacy->block + legacy->gathered_bytes, d->in, count);
    consume(d, count);
    legacy->gathered_bytes += count;
    return legacy->gathered_bytes == legacy->block_bytes ? legacy_unpack(d) : STEP_GOOD;
}

static void legacy_finish(struct decompressor *d)
{
    free(d->state.legacy.block);
    free(d->state.legacy.unpacked);
}

/* ---- xz and lzma ---------------------------------------------------------------------------- */

static bool xz_restart(struct decompressor *d)
{
    return lzma_stream_decoder(&d->state.lzma, DECOMPRESS_MEMORY_BYTES, 0) == LZMA_OK;
}

static bool xz_start(struct decompressor *d)
{
    d->state.lzma = (lzma_stream)LZMA_STREAM_INIT;
    return xz_restart(d);
}

static bool lzma_restart(struct decompressor *d)
{
    return lzma_alone_decoder(&d->state.lzma, DECOMPRESS_MEMORY_BYTES) == LZMA_OK;
}

static bool lzma_start(struct decompressor *d)
{
    d->state.lzma = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_restart(d);
}

static enum step lzma_step(struct decompressor *d)
{
    lzma_stream *stream = &d->state.lzma;

    stream->next_in = d->in;
    stream->avail_in = d->in_bytes;
    stream->next_out = d->out + d->done_bytes;
    stream->avail_out = d->out_bytes - d->done_bytes;
    lzma_ret status = lzma_code(stream, LZMA_RUN);

    consume(d, d->in_bytes - stream->avail_in);
    d->done_bytes = d->out_bytes - stream->avail_out;
    switch (status) {
    case LZMA_OK:
    case LZMA_BUF_ERROR:
        return STEP_GOOD;
    case LZMA_STREAM_END:
        return STEP_END;
    case LZMA_MEM_ERROR:
        return STEP_NO_MEMORY;
    case LZMA_MEMLIMIT_ERROR:
        return STEP_OVER_LIMIT;
    default:
        return STEP_DAMAGED;
    }
}

static void lzma_finish(struct decompressor *d)
{
    lzma_end(&d->state.lzma);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static const struct codec codecs[COMPRESSION_COUNT] = {
    [COMPRESSION_NONE] = {.name = "none"},
    [COMPRESSION_GZIP] =
        {"gzip", {0x1f, 0x8b}, 2, gzip_start, gzip_restart, gzip_step, gzip_finish},
    [COMPRESSION_ZSTD] = {"zstd",
                          {0x28, 0xb5, 0x2f, 0xfd},
                          4,
                          zstd_start,
                          goes_on_by_itself,
                          zstd_step,
                          zstd_finish},
    [COMPRESSION_LZ4] =
        {"lz4", {0x04, 0x22, 0x4d, 0x18}, 4, lz4_start, goes_on_by_itself, lz4_step, lz4_finish},
    [COMPRESSION_LZ4_LEGACY] = {"lz4",
                                {0x02, 0x21, 0x4c, 0x18},
                                4,
                                legacy_start,
                                goes_on_by_itself,
                                legacy_step,
                                legacy_finish},
    [COMPRESSION_XZ] =
        {"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, xz_start, xz_restart, lzma_step, lzma_finish},
    [COMPRESSION_LZMA] = {"lzma", {0}, 0, lzma_start, lzma_restart, lzma_step, lzma_finish},
};

const char *compression_name(enum compression compression)
{
    return codecs[compression].name;
}

/* lzma has no magic number: its header is taken apart instead, as xz(1) does. */
static bool is_lzma(const uint8_t *head, size_t head_bytes)
{
    if (head_bytes < LZMA_HEADER_BYTES || head[0] != LZMA_USUAL_PROPERTIES)
        return false;
    uint32_t dictionary = file_u32(head, 1);
    uint64_t unpacked_bytes = file_u32(head, 5) | (uint64_t)file_u32(head, 9) << 32;
    /* A power of two, or one and a half. */
    uint32_t rest = dictionary & (dictionary - 1);
    bool usual = dictionary >= LZMA_SMALLEST_DICTIONARY && (rest == 0 || (rest & (rest - 1)) == 0);

    return usual && (unpacked_bytes == LZMA_SIZE_UNKNOWN || unpacked_bytes < LZMA_LARGEST_SIZE);
}

enum compression compression_detect(const uint8_t *head, size_t head_bytes)
{
    for (enum compression i = 0; i < COMPRESSION_COUNT; i++)
        if (codecs[i].magic_bytes > 0 && head_bytes >= codecs[i].magic_bytes &&
            memcmp(head, codecs[i].magic, codecs[i].magic_bytes) == 0)
            return i;
    return is_lzma(head, head_bytes) ? COMPRESSION_LZMA : COMPRESSION_NONE;
}

struct decompressor *decompress_open(const struct packed *packed, enum decompress_use use,
                                     struct error *error)
{
    bool is_packed = packed->compression != COMPRESSION_NONE;
    struct decompressor *d = malloc(sizeof(*d) + (is_packed ? INPUT_BYTES : 0));

    if (d) {
        memset(d, 0, sizeof(*d));
        d->packed = *packed;
        d->codec = &codecs[packed->compression];
        d->use = use;
        d->left_bytes = packed->extent.size_bytes;
        d->in = d->buffer;
        if (!d->codec->start || d->codec->start(d))
            return d;
        decompress_close(d);
    }
    error_set(error, ERROR_HOST, ENOMEM, "cannot unpack %s", codecs[packed->compression].name);
    return NULL;
}

void decompress_close(struct decompressor *d)
{
    if (d->codec->finish) /* all take what has not started, too */
        d->codec->finish(d);
    free(d);
}

bool decompress_ended(const struct decompressor *d)
{
    return d->ended;
}

static bool read_input(struct decompressor *d, void *to, size_t size_bytes, struct error *error)
{
    const struct extent *extent = &d->packed.extent;

    if (!file_read(extent->file, extent->offset + extent->size_bytes - d->left_bytes, to,
                   size_bytes, error))
        return false;
    d->left_bytes -= size_bytes;
    return true;
}

static bool refill(struct decompressor *d, struct error *error)
{
    if (d->in_bytes >= LOOKAHEAD_BYTES || d->left_bytes == 0)
        return true;
    memmove(d->buffer, d->in, d->in_bytes);
    d->in = d->buffer;
    size_t room = INPUT_BYTES - d->in_bytes;
    size_t count = d->left_bytes < room ? (size_t)d->left_bytes : room;

    if (!read_input(d, d->buffer + d->in_bytes, count, error))
        return false;
    d->in_bytes += count;
    return true;
}

static bool fail(const struct decompressor *d, enum step step, struct error *error)
{
    const char *name = d->codec->name;

    switch (step) {
    case STEP_TRUNCATED:
        return error_set(error, ERROR_FILE, 0,
                         "the %s data is truncated: it should go on after its %" PRIu64 " bytes",
                         name, d->packed.extent.size_bytes);
    case STEP_NO_MEMORY:
        return error_set(error, ERROR_HOST, ENOMEM, "cannot unpack %s", name);
    case STEP_OVER_LIMIT:
        return error_set(error, ERROR_FILE, 0,
                         "unpacking this %s needs too much memory: pack it with a smaller window",
                         name);
    default:
        return error_set(error, ERROR_FILE, 0, "the %s data is damaged", name);
    }
}

/* The end of a stream is the end of all, unless another of its kind follows. */
static bool end_stream(struct decompressor *d, struct error *error)
{
    if (!refill(d, error))
        return false;
    d->ended = d->in_bytes == 0 || compression_detect(d->in, d->in_bytes) != d->packed.compression;
    return d->ended || d->codec->restart(d) || fail(d, STEP_NO_MEMORY, error);
}

static bool run(struct decompressor *d, struct error *error)
{
    while (!d->ended) {
        if (!refill(d, error))
            return false;
        size_t in_before = d->in_bytes;
        size_t done_before = d->done_bytes;
        enum step step = d->codec->step(d);
        bool moved = d->in_bytes != in_before || d->done_bytes != done_before;
        bool full = d->done_bytes == d->out_bytes;

        if (step == STEP_FULL) {
            d->done_bytes = d->out_bytes;
            return true;
        }
        if (step == STEP_END) {
            if (!end_stream(d, error))
                return false;
        } else if (step != STEP_GOOD) {
            return fail(d, step, error);
        } else if (!moved && full) {
            return true;
        } else if (!moved) {
            return fail(d, STEP_TRUNCATED, error);
        }
    }
    return true;
}

bool decompress_read(struct decompressor *d, void *to, size_t size_bytes, size_t *got_bytes,
                     struct error *error)
{
    *got_bytes = 0;
    if (d->packed.compression == COMPRESSION_NONE) {
        size_t count = d->left_bytes < size_bytes ? (size_t)d->left_bytes : size_bytes;

        if (!read_input(d, to, count, error))
            return false;
        *got_bytes = count;
        d->ended = d->left_bytes == 0;
        return true;
    }
    d->out = to;
    d->out_bytes = size_bytes;
    d->done_bytes = 0;
    bool good = run(d, error);

    *got_bytes = d->done_bytes;
    return good;
}

bool decompress_skip(struct decompressor *d, uint64_t size_bytes, uint64_t *got_bytes,
                     struct error *error)
{
    uint8_t dropped[SKIP_BYTES];

    if (d->packed.compression == COMPRESSION_NONE) {
        *got_bytes = d->left_bytes < size_bytes ? d->left_bytes : size_bytes;
        d->left_bytes -= *got_bytes;
        d->ended = d->left_bytes == 0;
        return true;
    }
    *got_bytes = 0;
    while (*got_bytes < size_bytes && !d->ended) {
        uint64_t left = size_bytes - *got_bytes;
        size_t count;

        if (!decompress_read(d, dropped, left < SKIP_BYTES ? (size_t)left : SKIP_BYTES, &count,
                             error))
            return false;
        *got_bytes += count;
    }
    return true;
}
