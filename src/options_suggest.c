// SPDX-License-Identifier: Apache-2.0
#include "options_suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum {
    PREFIX_LENGTH_MIN = 2,   /* one letter starts too many names to tell anything */
    LETTERS_PER_MISTAKE = 3, /* how many letters of a word excuse one mistake */
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/*
 * The optimal string alignment distance, by rows: rows[i % 3][j] is that of the first i letters
 * of a and the first j of b.
 */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][SUGGESTION_LENGTH_MAX + 1];

    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            bool same = same_letter(a[i - 1], b[j - 1]);
            row[j] = smaller(above[j - 1] + (same ? 0 : 1), smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1]))
                row[j] = smaller(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void suggestion_init(struct suggestion *suggestion, const char *word, size_t length)
{
    *suggestion = (struct suggestion){.length = length};
    if (length <= SUGGESTION_LENGTH_MAX)
        memcpy(suggestion->word, word, length);
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
    size_t word_length = suggestion->length;
    size_t length = strlen(candidate);

    if (word_length > SUGGESTION_LENGTH_MAX || length > SUGGESTION_LENGTH_MAX)
        return;

    size_t distance = edit_distance(suggestion->word, word_length, candidate, length);
    if (word_length >= PREFIX_LENGTH_MIN &&
        strncasecmp(suggestion->word, candidate, word_length) == 0)
        distance = smaller(distance, 1);

    size_t longest = word_length > length ? word_length : length;
    if (distance * LETTERS_PER_MISTAKE > longest)
        return;
    if (suggestion->best == NULL || distance < suggestion->best_distance) {
        suggestion->best = candidate;
        suggestion->best_distance = distance;
    }
}
